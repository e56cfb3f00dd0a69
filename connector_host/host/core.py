"""What a host is made of, put together once by the app; every session works on it for its own caller."""

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct, field

from connector_host.host.audit import Audit
from connector_host.host.connections.pool import ConnectionPool
from connector_host.host.event_bus import EventBus
from connector_host.host.history import History
from connector_host.host.plan import Planner
from connector_host.host.secrets import Secrets
from connector_host.host.settings import Settings
from connector_host.host.sites import SignedSites
from connector_host.host.uploads import Uploads
from connector_host.host.vaults import Vaults
from connector_host.manifests.registry import PluginRegistry
from connector_host.ports.parts import Clock, Notifier, Observe, Runner
from connector_host.ports.sealing import Envelope
from connector_host.ports.stores import Store


class Core(Struct, frozen=True, eq=False):
    """The parts and the host's own machinery. `runners` and `agents` are made when a command first needs one."""

    settings: Settings
    clock: Clock
    observe: Observe
    bus: EventBus
    registry: PluginRegistry
    store: Store
    audit: Audit
    history: History
    secrets: Secrets
    sites: SignedSites
    vaults: Vaults
    pool: ConnectionPool
    planner: Planner
    uploads: Uploads
    runners: Mapping[str, Runner]
    agents: Mapping[str, Runner]
    notifiers: Sequence[Notifier]
    envelope: Callable[[], Envelope]
    heartbeats: dict[str, float] = field(default_factory=dict)  # when what runs by itself last looked, monotonic
