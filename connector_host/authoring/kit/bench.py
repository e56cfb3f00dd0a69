"""A plugin on the conformance kit's bench: a real host, a connection made of canaries, answers as told."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

from msgspec import Struct

from connector_host.app import App
from connector_host.authoring.kit.exchanges import TOKEN, Answer, BySamples, ReceivedRequest, asks_for_token
from connector_host.authoring.kit.script import Answering, QuickClock, Script, logs_heard, plug, use_script
from connector_host.authoring.kit.values import change_of, connection_values
from connector_host.configuration import Configuration
from connector_host.host.session import Session
from connector_host.model.errors import ConnectorHostError
from connector_host.model.guarded import Guarded
from connector_host.model.invocation import Options
from connector_host.model.manifest import Command, Manifest
from connector_host.model.result import Result
from connector_host.model.template import compile_value
from connector_host.ports.parts import Request

NAME = "bench"
DEADLINE = 60.0
BETWEEN = 24 * 3600.0  # seconds that pass between runs: no rate limit of one is left for the next
RAISED = (
    ConnectorHostError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)


class Run(Struct, frozen=True):
    """One run: its result, or what was raised; the requests; the secrets that got out, by name."""

    result: Result | None
    raised: BaseException | None
    requests: tuple[Request, ...]
    leaks: tuple[str, ...] = ()

    @property
    def status(self) -> str:
        """The result's status, or what was raised."""
        return self.result.status.value if self.result else type(self.raised).__name__

    @property
    def kinds(self) -> list[str]:
        """The kinds of its failures."""
        return [entry.kind for entry in self.result.errors] if self.result else []

    @property
    def words(self) -> str:
        """The first error as the error tab shows it, or what was raised."""
        if self.result is None:
            return f"{type(self.raised).__name__}: {self.raised}"
        first = next(iter(self.result.errors), None)
        if first is None:
            return self.status
        text = f"{self.status}: {first.failure_indicator} Status Code: {first.status_code}. Message: {first.message}"
        return f"{text} {first.detail}".rstrip()


class Bench(Guarded, frozen=True):
    """The plugin, its host and the script at the other end."""

    hidden: ClassVar[frozenset[str]] = frozenset({"canaries"})
    manifest: Manifest
    session: Session
    script: Script
    canaries: Mapping[str, str]

    def asks_for_token(self, request: Request) -> bool:
        """Whether a request is one for an access token, which the host makes and no sample tells of."""
        return asks_for_token(self.manifest, request.method, request.url)

    async def run(
        self,
        command: Command,
        inputs: Mapping[str, Any],
        answering: Answering | None = None,
        *,
        deadline: float = DEADLINE,
    ) -> Run:
        """Run a command; without `answering` the samples answer."""
        await self.script.clock.sleep(BETWEEN)
        self.script.answering = answering or BySamples(self.manifest)
        before = len(self.script.requests)
        result, raised = None, None
        with logs_heard() as heard:
            try:
                options = Options(deadline_seconds=deadline)
                given = {**inputs, **self._spooled(command, inputs)}
                result = await self.session.run(self.manifest.id, command.id, NAME, given, options=options)
            except RAISED as error:
                raised = error
        texts = [*heard, repr(raised) if raised else "", result.json() if result else "", repr(result)]
        leaks = tuple(name for name, canary in self.canaries.items() if any(canary in text for text in texts))
        return Run(result, raised, tuple(self.script.requests[before:]), leaks)

    def _spooled(self, command: Command, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Put files into the spool: a sample holds a file's text."""
        files = {key for key, one in command.input.get("properties", {}).items() if one.get("format") == "file"}
        texts = {key: value for key, value in inputs.items() if key in files and isinstance(value, str)}
        return {
            key: self.session.uploads.put(f"{key}.txt", text.encode("utf-8", "replace")) for key, text in texts.items()
        }

    def always(self, answer: Callable[[ReceivedRequest], Answer] | Answer | BaseException) -> Answering:
        """Return what answers each request in one way; token endpoints are left out."""

        async def same(request: ReceivedRequest) -> Answer:
            if asks_for_token(self.manifest, request.method, request.path):
                return TOKEN
            if isinstance(answer, BaseException):
                raise answer
            return answer(request) if callable(answer) else answer

        return same


@asynccontextmanager
async def bench_of(manifest: Manifest) -> AsyncIterator[Bench]:
    """Open a host with this plugin alone, and a connection whose secrets can be recognised wherever they turn up."""
    with TemporaryDirectory(prefix="connector-host-kit-") as folder:
        home = Path(folder)
        values, canaries = connection_values(manifest)
        roots = {"connection": values}
        bases = {name: str(compile_value(one.url)(roots)).rstrip("/") for name, one in manifest.servers.items()}
        script = Script(bases, QuickClock())
        use_script(home, script)
        host_manifest = home / "manifest.yaml"
        text = {"plugins": [str(manifest.root)], "slots": {"transport": "scripted"}}
        host_manifest.write_text(json.dumps(text), "utf-8")
        configuration = Configuration(
            home=home,
            database=f"sqlite:///{home}/kit.db",
            key="file",
            manifest=host_manifest,
            clock=script.clock,
            plugs=(plug(),),
        )
        async with App(configuration).open() as host:
            session = host.as_operator()
            await session.connections.add(NAME, manifest.id, change_of(manifest, values))
            yield Bench(manifest, session, script, canaries)


GRADES = ("bronze", "silver", "gold", "platinum")
NOT_APPLICABLE = "(not applicable)"
Seen = str | None  # what was seen to be wrong; None where nothing was
Check = Callable[[Bench, Command], Awaitable[Seen]]


class Rule(Struct, frozen=True):
    """One rule; a check of the plugin gets any one of its commands."""

    code: str
    grade: str
    sentence: str
    each_command: bool
    check: Check


RULES: dict[str, Rule] = {}


def rule(code: str, grade: str, sentence: str, *, each_command: bool = True) -> Callable[[Any], Any]:
    """Enter a check under its code."""

    def enter(check: Check) -> Check:
        RULES[code] = Rule(code, grade, sentence, each_command, check)
        return check

    return enter
