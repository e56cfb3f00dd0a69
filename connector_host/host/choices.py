"""Options of a parameter: those the manifest lists, or those a command fetches from the service."""

from collections.abc import Mapping
from typing import Any

from connector_host.manifests.parameters import labelled_options
from connector_host.manifests.wording import did_you_mean
from connector_host.model.errors import WrongUse
from connector_host.model.manifest import Command
from connector_host.model.paths import compile_path
from connector_host.model.result import Choice, Result, Status


def parameter_of(command: Command, name: str) -> Mapping[str, Any]:
    """Return a parameter's schema; raises WrongUse where there is none of that name."""
    properties = command.input.get("properties", {})
    if name not in properties:
        raise WrongUse(f"{command.title} has no parameter '{name}'.{did_you_mean(name, list(properties))}")
    schema: Mapping[str, Any] = properties[name]
    return schema


def plain_choices(schema: Mapping[str, Any]) -> list[Choice]:
    """Return the options that stand in the manifest; none where any value may be given."""
    found = labelled_options(schema) or labelled_options(schema.get("items"))
    return [Choice(value, label) for value, label in found]


def choices_in(result: Result, fetch: Mapping[str, Any]) -> list[Choice]:
    """Return the options in what a command fetched; raises WrongUse with its error where it did not pass."""
    if result.status is Status.FAILED:
        first = result.errors[0]
        raise WrongUse(f"The options cannot be fetched. {first.failure_indicator} {first.message} {first.assistance}")
    values = compile_path(fetch["value"]).find(result.raw_data)
    labels = compile_path(fetch["label"]).find(result.raw_data) if "label" in fetch else []
    if len(labels) != len(values):
        labels = [str(value) for value in values]
    return [Choice(value, str(label)) for value, label in zip(values, labels, strict=True)]
