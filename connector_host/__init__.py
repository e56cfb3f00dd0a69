"""Connector Host: a small, embeddable host that runs connectors (plugins) for SOAR platforms."""

from typing import TYPE_CHECKING

from connector_host.model.authoring import BlockingListing, Failed, Item, Listing, Page, Upload, command, url
from connector_host.model.caller import Caller
from connector_host.model.connection import (
    BulkOutcome,
    Change,
    Connection,
    ConnectionHealth,
    HealthCheck,
    Selection,
    State,
    StoredConnection,
    VaultReference,
)
from connector_host.model.errors import (
    ApiError,
    BadSetting,
    BrokenPlugin,
    CommandBug,
    ConnectionChanged,
    ConnectionExists,
    ConnectionLost,
    ConnectionUnavailable,
    ConnectorHostError,
    DeadlinePassed,
    InvalidInput,
    InvocationError,
    KeyExposed,
    KeyMissing,
    KeyUnknown,
    ManifestError,
    NotAllowed,
    NoticeUndelivered,
    RateLimited,
    ReplyTooLarge,
    RequestRefused,
    RequestTooLarge,
    SealBroken,
    SealError,
    SecretUnavailable,
    StoreError,
    StoreTooNew,
    TimedOut,
    UnexpectedReply,
    UnknownCommand,
    UnknownConnection,
    UnknownPlugin,
    UnknownSite,
    Unreachable,
    WrongUse,
)
from connector_host.model.failure import Kind
from connector_host.model.invocation import Options
from connector_host.model.requests import Paging
from connector_host.model.result import Choice, Completeness, ErrorEntry, HistoryRecord, IntakeRecord, Result, Status
from connector_host.ports.calls import AsyncCall, Call

if TYPE_CHECKING:
    from connector_host.app import open_host
    from connector_host.configuration import Configuration
    from connector_host.host.host import Host, Session
else:
    _LATE = {
        "Configuration": "connector_host.configuration",
        "Host": "connector_host.host.host",
        "Session": "connector_host.host.host",
        "open_host": "connector_host.app",
    }

    def __getattr__(name: str) -> object:
        """Bring the host itself in when it is first asked for: a plugin's code needs only the authors' names."""
        if name not in _LATE:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module  # noqa: PLC0415 - see above

        return getattr(import_module(_LATE[name]), name)


__all__ = [
    "ApiError",
    "AsyncCall",
    "BadSetting",
    "BlockingListing",
    "BrokenPlugin",
    "BulkOutcome",
    "Call",
    "Caller",
    "Change",
    "Choice",
    "CommandBug",
    "Completeness",
    "Configuration",
    "Connection",
    "ConnectionChanged",
    "ConnectionExists",
    "ConnectionHealth",
    "ConnectionLost",
    "ConnectionUnavailable",
    "ConnectorHostError",
    "DeadlinePassed",
    "ErrorEntry",
    "Failed",
    "HealthCheck",
    "HistoryRecord",
    "Host",
    "IntakeRecord",
    "InvalidInput",
    "InvocationError",
    "Item",
    "KeyExposed",
    "KeyMissing",
    "KeyUnknown",
    "Kind",
    "Listing",
    "ManifestError",
    "NotAllowed",
    "NoticeUndelivered",
    "Options",
    "Page",
    "Paging",
    "RateLimited",
    "ReplyTooLarge",
    "RequestRefused",
    "RequestTooLarge",
    "Result",
    "SealBroken",
    "SealError",
    "SecretUnavailable",
    "Selection",
    "Session",
    "State",
    "Status",
    "StoreError",
    "StoreTooNew",
    "StoredConnection",
    "TimedOut",
    "UnexpectedReply",
    "UnknownCommand",
    "UnknownConnection",
    "UnknownPlugin",
    "UnknownSite",
    "Unreachable",
    "Upload",
    "VaultReference",
    "WrongUse",
    "command",
    "open_host",
    "url",
]
