"""What is made once: a command's rules, and for each connection in use its plan, which an invocation then follows."""

from collections.abc import Mapping

from msgspec import Struct

from connector_host.host.inputs import InputForm
from connector_host.host.intake.mapping import Mapper
from connector_host.host.key_fields import KeyFields
from connector_host.host.redaction import hides
from connector_host.host.settings import Settings
from connector_host.host.uploads import FileInputs
from connector_host.manifests.schema import Checker
from connector_host.model.invocation_errors import InvalidInput
from connector_host.model.manifest import Command, Manifest
from connector_host.ports.parts import Body, OpenConnection, Runner


class CommandRules:
    """What a command takes and gives, compiled: its inputs, files, output, intake tables and key fields."""

    def __init__(self, command: Command, settings: Settings) -> None:
        self.form = InputForm(command.input, settings.date_time, settings.limits)
        self.files = FileInputs(command.input)
        self.output = None if command.output is None else Checker(command.output)
        self.hides = hides(command.output)
        self.mapper = None if command.intake is None else Mapper(command.intake)
        self.key_fields = KeyFields(command.key_fields)
        self.deadline_seconds = command.deadline or settings.limits.deadline_seconds


class Plan(Struct, frozen=True, eq=False):
    """One command through one connection in use: its body, or what the connection lacks for it."""

    body: Body
    lacking: InvalidInput | None


class Planner:
    """Makes rules and plans; a plan lives in the connection in use, and dies with it."""

    def __init__(self, settings: Settings, runners: Mapping[str, Runner], agents: Mapping[str, Runner]) -> None:
        self._settings = settings
        self._runners = runners
        self._agents = agents
        self._rules: dict[int, tuple[Command, CommandRules]] = {}

    def rules(self, command: Command) -> CommandRules:
        """Return a command's rules; those of a manifest that was reloaded are made anew."""
        known = self._rules.get(id(command))
        if known is None or known[0] is not command:
            known = self._rules[id(command)] = command, CommandRules(command, self._settings)
        return known[1]

    def plan(self, command: Command, opened: OpenConnection, agent: str | None) -> Plan:
        """Return how the command is carried out, by the connection's agent where it has one."""
        manifest = opened.manifest
        runner = self._runners[manifest.runner_of(command)] if agent is None else self._agents[agent]
        return Plan(runner.prepare(command, opened), _lacking(manifest, command, opened))


def _lacking(manifest: Manifest, command: Command, opened: OpenConnection) -> InvalidInput | None:
    """Return the refusal of a connection that lacks a parameter which this command needs (`needed_by`)."""
    for name, schema in manifest.connection["properties"].items():
        if command.id not in schema.get("needed_by", ()) or opened.values.get(name):
            continue
        if opened.values.get(schema.get("unless_given", "")):
            continue
        how = f"--secret {name}=-" if schema.get("writeOnly") else f"--set {name}=…"
        reason = f"The connection has none, and {command.title} needs one."
        return InvalidInput(schema["title"], reason, f"Add it: connector-host connections edit NAME {how}")
    return None
