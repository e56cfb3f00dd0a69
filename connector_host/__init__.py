"""Connector Host: a small, embeddable host that runs connectors (plugins) for SOAR platforms."""

from typing import TYPE_CHECKING, Any

from connector_host.contract.authoring import AsyncCall, Call, Failed, Item, Page, command, url
from connector_host.contract.connection import Caller, Change, Connection, HealthCheck, Selection, State, VaultReference
from connector_host.contract.errors import ApiError, ConnectorHostError, InvalidInput, WrongUse
from connector_host.contract.model import Completeness, Kind, Options, Result, Status
from connector_host.contract.requests import Paging

if TYPE_CHECKING:
    from connector_host.app import open_host
    from connector_host.configuration import Configuration

__all__ = [
    "ApiError",
    "AsyncCall",
    "Call",
    "Caller",
    "Change",
    "Completeness",
    "Configuration",
    "Connection",
    "ConnectorHostError",
    "Failed",
    "HealthCheck",
    "InvalidInput",
    "Item",
    "Kind",
    "Options",
    "Page",
    "Paging",
    "Result",
    "Selection",
    "State",
    "Status",
    "VaultReference",
    "WrongUse",
    "command",
    "open_host",
    "url",
]

_FROM_APP = frozenset({"Configuration", "open_host"})

for _name in __all__:
    if _name not in _FROM_APP:
        globals()[_name].__module__ = __name__


def __getattr__(name: str) -> Any:
    """Bring the host itself in when it is first asked for: a plugin's code needs only the authoring names."""
    if name not in _FROM_APP:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from connector_host import app, configuration  # noqa: PLC0415 - see above

    return getattr(configuration if name == "Configuration" else app, name)
