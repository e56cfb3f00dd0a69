"""Connector Host: a small, embeddable host that runs connectors (plugins) for SOAR platforms.

Each name is brought in when it is first asked for: the command line's help, or a plugin, needs few of them.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from connector_host.app import open_host
    from connector_host.configuration import Configuration
    from connector_host.host.host import Host
    from connector_host.host.session import Session
    from connector_host.host.settings import DateTimeSetting
    from connector_host.manifests.forms import Form, FormField, FormOption, form_of
    from connector_host.model.audit import AuditHead, AuditRecord, AuditVerdict
    from connector_host.model.authoring import BlockingListing, Failed, Item, Listing, Page, Upload, command, url
    from connector_host.model.caller import Actor, Caller, Site, SiteMap, Tenant
    from connector_host.model.connection import (
        BulkOutcome,
        Change,
        Connection,
        ConnectionHealth,
        HealthCheck,
        ImportPreview,
        Round,
        Selection,
        State,
        StoredConnection,
        VaultReference,
    )
    from connector_host.model.effects import Effect
    from connector_host.model.errors import (
        BadSetting,
        BrokenPlugin,
        ChangedOutside,
        ConnectionChanged,
        ConnectionExists,
        ConnectorHostError,
        ExtraMissing,
        InvocationExists,
        KeyExposed,
        KeyMissing,
        KeyReused,
        KeyUnknown,
        ManifestError,
        NotAllowed,
        NoticeUndelivered,
        RotationIncomplete,
        SealBroken,
        SealError,
        StoreError,
        StoreTooNew,
        UnknownCommand,
        UnknownConnection,
        UnknownPlugin,
        UnknownSite,
        WrongLoop,
        WrongProcess,
        WrongUse,
    )
    from connector_host.model.failure import Kind
    from connector_host.model.history import Calls, HistoryFilter, HistoryPage, HistoryRecord, Use
    from connector_host.model.intake import (
        Arrival,
        FeedPage,
        IntakeRecord,
        IntakeSchedule,
        KeptSchedule,
        MappedRow,
        MappingPreview,
        MappingTables,
        ScheduleState,
    )
    from connector_host.model.invocation import Options
    from connector_host.model.invocation_errors import (
        ApiError,
        Cancelled,
        CommandBug,
        ConnectionLost,
        ConnectionUnavailable,
        DeadlinePassed,
        InvalidInput,
        InvocationError,
        NotRecordable,
        ProxyRefused,
        RateLimited,
        ReplyTooLarge,
        RequestRefused,
        RequestTooLarge,
        SecretUnavailable,
        TimedOut,
        UnexpectedReply,
        Unreachable,
    )
    from connector_host.model.json_text import parse_json
    from connector_host.model.manifest import EventSource, FieldMapping
    from connector_host.model.requests import Paging
    from connector_host.model.result import (
        Choice,
        CommandFailed,
        Completeness,
        ErrorEntry,
        Result,
        Status,
    )
    from connector_host.model.token import Scope, Token
    from connector_host.model.trouble import Moment, Trouble
    from connector_host.ports.calls import AsyncCall, Call

__all__ = [
    "Actor", "ApiError", "Arrival", "AsyncCall", "AuditHead", "AuditRecord", "AuditVerdict", "BadSetting",
    "BlockingListing", "BrokenPlugin", "BulkOutcome", "Call", "Caller", "Calls", "Cancelled", "Change",
    "ChangedOutside", "Choice", "CommandBug", "CommandFailed", "Completeness", "Configuration", "Connection",
    "ConnectionChanged", "ConnectionExists", "ConnectionHealth", "ConnectionLost", "ConnectionUnavailable",
    "ConnectorHostError", "DateTimeSetting", "DeadlinePassed", "Effect", "ErrorEntry", "EventSource",
    "ExtraMissing", "Failed", "FeedPage", "FieldMapping", "Form", "FormField", "FormOption", "HealthCheck",
    "HistoryFilter", "HistoryPage", "HistoryRecord", "Host", "ImportPreview", "IntakeRecord", "IntakeSchedule",
    "InvalidInput", "InvocationError", "InvocationExists", "Item", "KeptSchedule", "KeyExposed", "KeyMissing",
    "KeyReused", "KeyUnknown", "Kind", "Listing", "ManifestError", "MappedRow", "MappingPreview", "MappingTables",
    "Moment", "NotAllowed", "NotRecordable", "NoticeUndelivered", "Options", "Page", "Paging", "ProxyRefused",
    "RateLimited", "ReplyTooLarge", "RequestRefused", "RequestTooLarge", "Result", "RotationIncomplete", "Round",
    "ScheduleState", "Scope", "SealBroken", "SealError", "SecretUnavailable", "Selection", "Session", "Site",
    "SiteMap", "State", "Status", "StoreError", "StoreTooNew", "StoredConnection", "Tenant", "TimedOut", "Token",
    "Trouble", "UnexpectedReply", "UnknownCommand", "UnknownConnection", "UnknownPlugin", "UnknownSite",
    "Unreachable", "Upload", "Use", "VaultReference", "WrongLoop", "WrongProcess", "WrongUse", "command", "form_of",
    "open_host", "parse_json", "url",
]  # fmt: skip

if not TYPE_CHECKING:  # where they are known without being brought in
    _HOLD = {  # the rest are errors
        "connector_host.app": "open_host",
        "connector_host.configuration": "Configuration",
        "connector_host.host.host": "Host",
        "connector_host.host.session": "Session",
        "connector_host.host.settings": "DateTimeSetting",
        "connector_host.manifests.forms": "Form FormField FormOption form_of",
        "connector_host.model.token": "Scope Token",
        "connector_host.model.trouble": "Moment Trouble",
        "connector_host.model.authoring": "BlockingListing Failed Item Listing Page Upload command url",
        "connector_host.model.audit": "AuditHead AuditRecord AuditVerdict",
        "connector_host.model.caller": "Actor Caller Site SiteMap Tenant",
        "connector_host.model.connection": (
            "BulkOutcome Change Connection ConnectionHealth HealthCheck ImportPreview Round Selection State "
            "StoredConnection VaultReference"
        ),
        "connector_host.model.effects": "Effect",
        "connector_host.model.failure": "Kind",
        "connector_host.model.invocation_errors": (
            "ApiError Cancelled CommandBug ConnectionLost ConnectionUnavailable DeadlinePassed InvalidInput "
            "InvocationError NotRecordable ProxyRefused RateLimited ReplyTooLarge RequestRefused RequestTooLarge "
            "SecretUnavailable TimedOut UnexpectedReply Unreachable"
        ),
        "connector_host.model.history": "Calls HistoryFilter HistoryPage HistoryRecord Use",
        "connector_host.model.intake": (
            "Arrival FeedPage IntakeRecord IntakeSchedule KeptSchedule MappedRow MappingPreview MappingTables "
            "ScheduleState"
        ),
        "connector_host.model.invocation": "Options",
        "connector_host.model.manifest": "EventSource FieldMapping",
        "connector_host.model.json_text": "parse_json",
        "connector_host.model.requests": "Paging",
        "connector_host.model.result": ("Choice CommandFailed Completeness ErrorEntry Result Status"),
        "connector_host.ports.calls": "AsyncCall Call",
    }
    _LATE = dict.fromkeys(__all__, "connector_host.model.errors")
    _LATE |= {name: module for module, names in _HOLD.items() for name in names.split()}

    def __getattr__(name: str) -> object:
        if name not in _LATE:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module  # noqa: PLC0415 - see above

        globals()[name] = value = getattr(import_module(_LATE[name]), name)
        return value
