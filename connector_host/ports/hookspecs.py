"""The sockets: what a package may provide to the host, collected by pluggy under the group `connector_host`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pluggy

from connector_host.ports.parts import Step, Surroundings

PROJECT = "connector_host"
socket = pluggy.HookspecMarker(PROJECT)
plug = pluggy.HookimplMarker(PROJECT)


@socket
def provide() -> Mapping[str, Mapping[str, str]]:  # type: ignore[empty-body]
    """Name parts that can fill a slot.

    Shape: {slot: {name: "package.module:Class"}}; a part is imported when the host manifest chooses its
    name, and made with `Surroundings` as its one argument.
    """


@socket
def steps(surroundings: Surroundings) -> Mapping[str, Step]:  # type: ignore[empty-body]
    """Give middleware around every request to a product, by name; the host manifest's `steps` orders them."""


@socket
def observe(event: str, facts: Mapping[str, Any]) -> None:
    """See what happens: `invocation.finished`, `request.sent`, `request.retried`; facts hold no secret."""


@socket
def connectors() -> Sequence[Path]:  # type: ignore[empty-body]
    """Name folders that hold a plugin's `manifest.yaml`."""
