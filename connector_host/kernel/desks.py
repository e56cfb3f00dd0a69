"""The desks of the host beside its commands: places, keys, audit, health, transfer and diagnosis."""

from collections.abc import Callable
from dataclasses import dataclass

from connector_host.kernel.audit import Auditor
from connector_host.kernel.connections.diagnosis import Diagnosis
from connector_host.kernel.connections.transfer import Transfer
from connector_host.kernel.health.checks import Check, HealthChecks
from connector_host.kernel.places import PlaceManager
from connector_host.kernel.secrets import SecretKeeper
from connector_host.kernel.vault import VaultDesk


@dataclass(frozen=True, slots=True)
class Desks:
    """What a host is made of beside the pipeline; health checks need the host itself."""

    places: PlaceManager
    keys: SecretKeeper
    audit: Auditor
    transfer: Transfer
    diagnosis: Diagnosis
    vaults: VaultDesk
    health: Callable[[Check], HealthChecks]
