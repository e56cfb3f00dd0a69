"""A task of Prefect, in a flow: it fails as an exception, and is tried again only where that may help.

The connection's values are a Secret block that holds a JSON object, so that no parameter of a run shows them.
"""

from prefect import flow, task
from prefect.blocks.system import Secret

from connector_host import CommandFailed
from connector_host.blocking import run_once


async def may_help(_task, _run, state):
    try:
        await state.aresult()
    except CommandFailed as failed:
        return all(entry.retryable for entry in failed.result.errors)
    return False


@task(retries=3, retry_delay_seconds=1, retry_condition_fn=may_help)
def run_command(plugin, command, block, inputs):
    return run_once(plugin, command, Secret.load(block).get(), inputs).raise_for_failure(partial_ok=True).document()


@flow
def contact_methods(user_ids):
    return run_command("pagerduty", "get_user_contact_methods", "pagerduty", {"user_ids": user_ids})
