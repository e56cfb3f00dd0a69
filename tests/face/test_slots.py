"""Slots filled by the embedding program: with a name, a function that makes the part, or the part itself."""

from typing import Any

import anyio
import pytest

from connector_host import BadSetting, Change, Configuration, HealthCheck, open_host
from connector_host.http.lean_transport import LeanTransport
from connector_host.stores.sqlite import SqliteStore
from tests.world import API_KEY, FastClock, Sandbox


class Told:
    """A notifier that remembers."""

    def __init__(self) -> None:
        self.notices: list[Any] = []

    async def notify(self, notice: Any) -> None:
        self.notices.append(notice)


def test_parts_are_given_as_objects_functions_and_names(tmp_path: Any, sandbox: Sandbox) -> None:
    told, opened, stores = Told(), list[str](), list[SqliteStore]()

    class Counting(LeanTransport):
        def open(self, *given: Any) -> Any:
            opened.append("wire")
            return super().open(*given)

    def store(surroundings: Any) -> SqliteStore:
        stores.append(SqliteStore(surroundings))
        return stores[-1]

    slots = {"store": store, "transport": Counting, "notifier": [told], "cipher": "aes-256-gcm"}
    configuration = Configuration(home=tmp_path / "home", slots=slots, clock=FastClock())

    async def work() -> str:
        async with open_host(configuration) as host:
            session = host.as_operator()
            check = HealthCheck(5, 1, ("ann@example.com",))
            where = {"server_url": sandbox.base, "event_url": sandbox.base}
            await session.connections.add("prod", "pagerduty", Change({}, where, {"api_key": "k" * 20}))
            result = await session.run("pagerduty", "list_users", "prod")
            gone = {"server_url": "http://127.0.0.1:9", "event_url": "http://127.0.0.1:9"}
            await session.connections.add(
                "gone", "pagerduty", Change({"health_check": check}, gone, {"api_key": "k" * 20})
            )
            await session.health.run_due()
            return str(result.status)

    assert anyio.run(work) == "Passed"
    assert [one.event for one in told.notices] == ["connection.failing"]
    assert (opened, len(stores)) == (["wire", "wire"], 1)
    assert API_KEY not in repr(configuration)


@pytest.mark.parametrize(
    ("slots", "words"),
    [
        ({"nonsense": "x"}, "There is no slot 'nonsense' to fill. There are: store, cipher"),
        ({"store": "postgres"}, "The slot 'store' cannot be filled with 'postgres'. There are: sqlite"),
        ({"notifier": ["pager"]}, "The slot 'notifier' cannot be filled with 'pager'"),
    ],
    ids=str,
)
def test_what_cannot_fill_a_slot_is_told(tmp_path: Any, slots: Any, words: str) -> None:
    async def work() -> None:
        async with open_host(Configuration(home=tmp_path / "home", slots=slots)):
            pass

    with pytest.raises(BadSetting) as caught:
        anyio.run(work)
    assert str(caught.value).startswith(words)
