"""The rules that a manifest is held against, those that no schema can state."""

from connector_host.contract.problems import Problem
from connector_host.kernel.manifests.functions import check_functions, check_sandbox
from connector_host.kernel.manifests.rules.commands import check_commands
from connector_host.kernel.manifests.rules.connection import check_connection
from connector_host.kernel.manifests.rules.parameters import check_parameters
from connector_host.kernel.manifests.rules.reach import Plugin
from connector_host.kernel.manifests.rules.requests import check_requests
from connector_host.kernel.manifests.rules.samples import check_samples
from connector_host.kernel.manifests.rules.servers import check_servers


def check_rules(plugin: Plugin) -> list[Problem]:
    """Return every problem that the schema of manifests can not see."""
    checks = (check_connection, check_parameters, check_servers, check_commands, check_requests, check_samples)
    problems = [problem for check in checks for problem in check(plugin)]
    return problems + check_functions(plugin.document, plugin.value) + check_sandbox(plugin.document, plugin.value)
