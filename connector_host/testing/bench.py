"""A plugin on the conformance kit's bench: a real host, a connection made of canaries, answers as told."""

import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from connector_host.app import LOGGERS, Joiner
from connector_host.builtin.runners.template import compile_value
from connector_host.configuration import Configuration
from connector_host.contract.connection import Change
from connector_host.contract.documents import as_document, as_json
from connector_host.contract.errors import ConnectorHostError
from connector_host.contract.manifest import Command, Manifest, Sample
from connector_host.contract.model import Options, Result
from connector_host.contract.ports import Request
from connector_host.kernel.host import Host
from connector_host.testing.samples import Arrived, Told, chosen, exchanges
from connector_host.testing.script import Answering, QuickClock, Script, plug, use_script
from connector_host.testing.stand_in import TOKEN, Answer, failure, told
from connector_host.testing.values import connection_values

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


@dataclass(frozen=True, slots=True)
class Run:
    """One run: its result, or what was raised; the requests; those that no sample answers; a secret that got out."""

    result: Result | None
    raised: BaseException | None
    requests: tuple[Request, ...]
    unanswered: tuple[str, ...] = ()
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


@dataclass(slots=True)
class Bench:
    """The plugin, its host and the script at the other end."""

    manifest: Manifest
    host: Host
    script: Script
    canaries: Mapping[str, str] = field(repr=False)
    leaks: list[str] = field(default_factory=list)

    def asks_for_token(self, request: Request) -> bool:
        """Whether a request is one for an access token, which the host makes and no sample tells of."""
        auths = [server.auth for server in self.manifest.servers.values() if server.auth is not None]
        return any(one.type == "oauth2" and request.url.endswith(one.path) for one in auths)

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
        unanswered: list[str] = []
        self.script.answering = answering or self.by_samples(unanswered=unanswered)
        before = len(self.script.requests)
        result, raised = None, None
        with _listening() as heard:
            try:
                options = Options(deadline_seconds=deadline)
                result = await self.host.run(self.manifest.id, command.id, NAME, inputs, options=options)
            except RAISED as error:
                raised = error
        texts = [*heard, repr(raised) if raised else "", as_json(as_document(result)) if result else "", repr(result)]
        leaks = tuple(name for name, canary in self.canaries.items() if any(canary in text for text in texts))
        self.leaks += [f"{command.id}: {name}" for name in leaks]
        return Run(result, raised, tuple(self.script.requests[before:]), tuple(unanswered), leaks)

    def by_samples(self, sample: tuple[str, Sample] | None = None, unanswered: list[str] | None = None) -> Answering:
        """Return what answers as the samples do, the given one before all others."""
        mine = exchanges(self.manifest, iter([sample])) if sample else []
        rest = exchanges(self.manifest)
        turns: dict[int, int] = {}

        async def answer(request: Arrived) -> Answer:
            found = _in_turn(mine, request, turns) or chosen(rest, request)
            if found is not None:
                return told(found)
            if _is_token_request(self.manifest, request):
                return 200, {}, json.dumps(TOKEN).encode()
            if unanswered is not None:
                unanswered.append(f"{request.method} {request.path}")
            server = self.manifest.servers.get(request.server or "")
            return failure(404, server.errors) if server else (404, {}, b"")

        return answer

    def always(self, answer: Callable[[Arrived], Answer] | Answer | BaseException) -> Answering:
        """Return what answers each request in one way; token endpoints are left out."""

        async def same(request: Arrived) -> Answer:
            if _is_token_request(self.manifest, request):
                return 200, {}, json.dumps(TOKEN).encode()
            if isinstance(answer, BaseException):
                raise answer
            return answer(request) if callable(answer) else answer

        return same


def _in_turn(mine: list[Told], request: Arrived, turns: dict[int, int]) -> Told | None:
    """Return a sample's next exchange for a request: one that was used up gives way to another like it."""
    fitting = [one for one in mine if one.fits(request)]
    fresh = [one for one in fitting if id(one) not in turns]
    found = chosen(fresh or fitting, request)
    if found is not None and fresh:
        first = next(one for one in fresh if one.nearness(request) == found.nearness(request))
        turns[id(first)] = 1
        return first
    return found


def _is_token_request(manifest: Manifest, request: Arrived) -> bool:
    auths = [server.auth for server in manifest.servers.values() if server.auth is not None]
    return request.method == "POST" and any(one.type == "oauth2" and one.path == request.path for one in auths)


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
        steps = list(Joiner(Configuration(home=home)).settings.steps)
        text = {"plugins": [str(manifest.root)], "slots": {"transport": "scripted"}, "steps": steps}
        host_manifest.write_text(json.dumps(text), "utf-8")
        configuration = Configuration(
            home=home,
            database=f"sqlite:///{home}/kit.db",
            key="file",
            manifest=host_manifest,
            clock=script.clock,
            plugs=(plug(),),
        )
        async with Joiner(configuration).open() as host:
            secrets = {name: value for name, value in values.items() if name in manifest.secret_names}
            parameters = {name: value for name, value in values.items() if name not in secrets}
            await host.connections.add(NAME, manifest.id, Change(parameters=parameters, secrets=secrets))
            yield Bench(manifest, host, script, canaries)


@contextmanager
def _listening() -> Iterator[list[str]]:
    """Hear all that the host logs, in place of whoever hears it otherwise."""
    heard: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: heard.append(logging.Formatter().format(record))  # type: ignore[method-assign]
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [(logger, logger.handlers, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.handlers, logger.propagate = [handler], False
    try:
        yield heard
    finally:
        for logger, handlers, propagate in before:
            logger.handlers, logger.propagate = handlers, propagate
