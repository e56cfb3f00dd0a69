"""What the server counts, in Prometheus' text form."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from connector_host.model.caller import INTAKE_SCHEDULE
from connector_host.model.result import Status
from connector_host.ports.hookspecs import plug

_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
CONNECTIONS = 200  # as labels; then OTHER
OTHER = "other"
LIMITS = 5000  # of connections that were used last


class Metrics:
    """Counters and latencies, fed by the host's events."""

    def __init__(self) -> None:
        self._invocations: Counter[tuple[str, str, str]] = Counter()
        self._buckets: Counter[float] = Counter()
        self._seconds = 0.0
        self._requests: Counter[str] = Counter()
        self._by_connection: Counter[str] = Counter()
        self._names: set[str] = set()
        self._up: dict[str, bool] = {}
        self._taken_in: Counter[str] = Counter()
        self._taken_in_at: dict[str, float] = {}
        self._waited = 0.0
        self._limits: dict[str, dict[str, tuple[int, int, float]]] = {}  # of connections, by server; see limits_of()

    @plug
    def observe(self, event: str, facts: Mapping[str, Any]) -> None:
        """Take an event of the host."""
        if event == "invocation.finished":
            self._finished(facts)
        elif event == "connection.removed":
            for known in (self._up, self._taken_in_at, self._limits):
                known.pop(str(facts.get("connection", "")), None)
        elif event == "intake.stored":
            self._taken_in[self._label(facts)] += facts["new"]
        elif event == "request.delayed":
            self._waited += facts["seconds"]
        elif event == "limit.used":
            self._note_limit(facts)
        elif event in ("request.sent", "request.retried"):
            self._requests[event.partition(".")[2]] += 1

    def _finished(self, facts: Mapping[str, Any]) -> None:
        status = str(facts.get("status", ""))
        self._invocations[str(facts.get("plugin", "")), str(facts.get("command", "")), status] += 1
        seconds = float(facts.get("duration_ms", 0)) / 1000
        self._seconds += seconds
        for bound in _BUCKETS:
            self._buckets[bound] += seconds <= bound
        name = self._label(facts)
        self._by_connection[name] += 1
        if facts.get("command") == "test_connection" and not facts.get("unsaved") and name != OTHER:
            self._up[name] = status == Status.PASSED
        if facts.get("actor") == INTAKE_SCHEDULE and status == Status.PASSED and name != OTHER:
            self._taken_in_at[name] = time.time()

    def _limit_lines(self) -> Iterator[str]:
        for place, name in enumerate(("limit_used", "limit_allowed")):
            yield f"# TYPE connector_host_{name} gauge"
            for connection in sorted(self._names & self._limits.keys()):
                for server, limit in self.limits_of(connection).items():
                    labels = f'connection="{_label(connection)}",server="{_label(server)}"'
                    yield f"connector_host_{name}{{{labels}}} {limit[place]}"

    def _note_limit(self, facts: Mapping[str, Any]) -> None:
        limits = self._limits.pop(name := str(facts.get("connection", "")), {})
        self._limits[name] = limits
        limits[facts["server"]] = facts["used"], facts["limit"], time.monotonic() + facts["seconds"]
        if len(self._limits) > LIMITS:
            del self._limits[next(iter(self._limits))]

    def _label(self, facts: Mapping[str, Any]) -> str:
        """Return a connection's name as a label: of very many all the rest are `other`."""
        name = str(facts.get("connection", ""))
        if name not in self._names and len(self._names) < CONNECTIONS:
            self._names.add(name)
        return name if name in self._names else OTHER

    def limit_of(self, connection: str) -> tuple[int, int] | None:
        """Return how many requests of how many a connection used lately, of its limit that is used most."""
        found = self.limits_of(connection).values()
        return max(found, key=lambda limit: limit[0] / limit[1], default=None)

    def limits_of(self, connection: str) -> Mapping[str, tuple[int, int]]:
        """Return how many requests of how many a connection used lately, by the server; since this server started."""
        now, known = time.monotonic(), self._limits.get(connection, {})
        return {server: (used if now < until else 0, allowed) for server, (used, allowed, until) in known.items()}

    def text(self) -> str:
        """Return all of it."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        yield "# TYPE connector_host_invocations_total counter"
        for (plugin, command, status), count in sorted(self._invocations.items()):
            labels = f'plugin="{_label(plugin)}",command="{_label(command)}",status="{_label(status)}"'
            yield f"connector_host_invocations_total{{{labels}}} {count}"
        total = sum(self._invocations.values())
        yield "# TYPE connector_host_invocation_seconds histogram"
        for bound in _BUCKETS:
            yield f'connector_host_invocation_seconds_bucket{{le="{bound}"}} {self._buckets[bound]}'
        yield f'connector_host_invocation_seconds_bucket{{le="+Inf"}} {total}'
        yield f"connector_host_invocation_seconds_sum {self._seconds:.6f}"
        yield f"connector_host_invocation_seconds_count {total}"
        yield "# TYPE connector_host_requests_total counter"
        for kind, count in sorted(self._requests.items()):
            yield f'connector_host_requests_total{{kind="{kind}"}} {count}'
        yield "# TYPE connector_host_connection_invocations_total counter"
        for name, count in sorted(self._by_connection.items()):
            yield f'connector_host_connection_invocations_total{{connection="{_label(name)}"}} {count}'
        yield from _by_connection("connection_up", "gauge", {name: int(up) for name, up in self._up.items()})
        yield from self._limit_lines()
        yield from _by_connection("intake_new_records_total", "counter", self._taken_in)
        yield from _by_connection("intake_last_success_timestamp_seconds", "gauge", self._taken_in_at)
        yield "# TYPE connector_host_waited_seconds_total counter"
        yield f"connector_host_waited_seconds_total {self._waited:.3f}"


def _by_connection(name: str, kind: str, values: Mapping[str, float]) -> Iterator[str]:
    """Return a metric of each connection."""
    yield f"# TYPE connector_host_{name} {kind}"
    for connection, value in sorted(values.items()):
        yield f'connector_host_{name}{{connection="{_label(connection)}"}} {value}'


def _label(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
