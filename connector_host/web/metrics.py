"""What the server counts, in Prometheus' text form."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from connector_host.ports.hookspecs import plug

_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
CONNECTIONS = 200  # as labels; then `other`


class Metrics:
    """Counters and latencies, fed by the host's events."""

    def __init__(self) -> None:
        self._invocations: Counter[tuple[str, str, str]] = Counter()
        self._buckets: Counter[float] = Counter()
        self._seconds = 0.0
        self._requests: Counter[str] = Counter()
        self._by_connection: Counter[str] = Counter()
        self._limits: dict[str, tuple[int, int, float]] = {}  # by connection: used, allowed, until when that holds

    @plug
    def observe(self, event: str, facts: Mapping[str, Any]) -> None:
        """Take an event of the host."""
        if event == "invocation.finished":
            status = str(facts.get("status", ""))
            self._invocations[str(facts.get("plugin", "")), str(facts.get("command", "")), status] += 1
            seconds = float(facts.get("duration_ms", 0)) / 1000
            self._seconds += seconds
            for bound in _BUCKETS:
                self._buckets[bound] += seconds <= bound
            name = str(facts.get("connection", ""))
            known = name in self._by_connection or len(self._by_connection) < CONNECTIONS
            self._by_connection[name if known else "other"] += 1
        elif event == "limit.used":
            self._limits[str(facts.get("connection", ""))] = (
                facts["used"],
                facts["limit"],
                time.monotonic() + facts["seconds"],
            )
        elif event in ("request.sent", "request.retried"):
            self._requests[event.partition(".")[2]] += 1

    def limit_of(self, connection: str) -> tuple[int, int] | None:
        """Return how many requests of how many a connection used lately, since this server started; None for none."""
        used, allowed, until = self._limits.get(connection, (0, 0, 0.0))
        return (used if time.monotonic() < until else 0, allowed) if allowed else None

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


def _label(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
