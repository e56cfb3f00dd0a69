"""Names the built-in parts; each is imported when the host manifest chooses it."""

from collections.abc import Mapping

from connector_host.contract.hooks import plug
from connector_host.contract.ports import Step, Surroundings

_ROOM = "connector_host.builtin"


@plug
def provide() -> Mapping[str, Mapping[str, str]]:
    """Return the built-in parts by slot and name."""
    return {
        "store": {"sqlite": f"{_ROOM}.stores.sqlite:SqliteStore"},
        "cipher": {"aes-256-gcm": f"{_ROOM}.ciphers.aes_gcm:AesGcm"},
        "envelope": {"hpke": f"{_ROOM}.ciphers.hpke:Hpke"},
        "keys": {
            "file": f"{_ROOM}.ciphers.key_file:KeyFile",
            "env": f"{_ROOM}.ciphers.key_environment:KeyEnvironment",
            "transit": f"{_ROOM}.ciphers.key_transit:KeyTransit",
        },
        "transport": {"httpx2": f"{_ROOM}.transport.wire:HttpTransport"},
        "notifier": {"smtp": f"{_ROOM}.notifiers.smtp:SmtpNotifier"},
        "runner": {
            "request": f"{_ROOM}.runners.request:RequestRunner",
            "python": f"{_ROOM}.runners.python:PythonRunner",
            "isolated": f"{_ROOM}.runners.isolated:IsolatedRunner",
        },
        "workshop": {"authors": "connector_host.workshop.workshop:AuthorsWorkshop"},
        "surface": {"cli": f"{_ROOM}.surfaces.cli.main:CommandLine"},
    }


@plug
def steps(surroundings: Surroundings) -> Mapping[str, Step]:
    """Return the built-in steps around every request."""
    from connector_host.builtin.steps.audit import Audit  # noqa: PLC0415 - a host that runs nothing needs none
    from connector_host.builtin.steps.limit import Limiter  # noqa: PLC0415 - the same
    from connector_host.builtin.steps.retry import Retry  # noqa: PLC0415 - the same

    return {
        "retry": Retry(surroundings.clock, surroundings.observe),
        "limit": Limiter(surroundings.clock, surroundings.observe),
        "audit": Audit(surroundings.clock, surroundings.observe),
    }
