"""A connection and a command chosen by a few letters: what is offered, in which order, and what letters never do."""

import time

import pytest

from connector_host import Change, Selection
from connector_host.model.fuzzy import beginning, best, containing, exactly, in_order
from connector_host.model.token import Scope
from tests.attacks.test_page import HERE, signed_in
from tests.web.conftest import Web
from tests.web.conftest import web as web  # noqa: PLC0414 - the fixture

NAMES = ["Get Event", "Pages to Get", "Merge Incidents", "get", "Golden Eagle", "List Users"]
ODD = ["PagerDuty EU", "pager*duty", "pager[duty]", "a^b", "ÄGYPTEN", "us", "us-user-service"]


@pytest.mark.parametrize(
    ("letters", "expected"),
    [
        ("", NAMES),
        ("get", ["get", "Get Event", "Pages to Get", "Merge Incidents"]),  # begins so, then a word that does
        ("ge", ["Get Event", "get", "Golden Eagle", "Pages to Get", "Merge Incidents"]),  # initials before the rest
        ("MRG", ["Merge Incidents"]),
        ("l u", ["List Users"]),
        ("eg", ["Merge Incidents", "Golden Eagle", "Pages to Get"]),
        ("getx", []),
        (".*", []),
        ("a" * 64, []),
    ],
)
def test_the_closest_come_first(letters: str, expected: list[str]) -> None:
    assert best(NAMES, letters, str) == expected


def test_letters_that_repeat_take_no_time() -> None:
    names = [f"{'a' * 90}{number}" for number in range(100)]
    begun = time.process_time()
    assert best(names, "a" * 63 + "b", str) == []
    assert len(best(names, "a" * 64, str)) == 100
    assert time.process_time() - begun < 1


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (in_order("pde"), ["PagerDuty EU"]),
        (in_order("PD"), ["PagerDuty EU", "pager*duty", "pager[duty]"]),
        (in_order("*"), ["pager*duty"]),
        (in_order("[y]"), ["pager[duty]"]),
        (in_order("^"), ["a^b"]),
        (in_order("äg"), ["ÄGYPTEN"]),
        (beginning("pager["), ["pager[duty]"]),
        (containing("DUTY"), ["PagerDuty EU", "pager*duty", "pager[duty]"]),
        (containing("r[d"), ["pager[duty]"]),
        (exactly("pager[duty]"), ["pager[duty]"]),
        (exactly("pager*duty"), ["pager*duty"]),
    ],
)
def test_what_is_typed_is_looked_for_as_it_is(odd: Web, pattern: str, expected: list[str]) -> None:
    async def work(session: object) -> list[str]:
        found = await session.connections.list(Selection(name=pattern))  # type: ignore[attr-defined]
        return [one.connection.name for one in found if one.connection.name in ODD]

    assert odd.world.use(work) == expected


@pytest.fixture(scope="module")
def odd(web: Web) -> Web:
    """Connections with names that mean something in a pattern."""
    where = {"server_url": web.sandbox.base, "event_url": web.sandbox.base}

    async def work(session: object) -> None:
        for name in ODD:
            await session.connections.add(name, "pagerduty", Change({}, where, {"api_key": "u+abcdefghijklmnop12"}))  # type: ignore[attr-defined]

    web.world.use(work)
    return web


def test_letters_are_offered_names_and_never_run(odd: Web) -> None:
    client = signed_in(odd)
    offered = client.get("/run/connections", params={"connection": "pdeu"}).text
    assert 'data-go="/run?connection=PagerDuty%20EU"' in offered
    assert offered.count('role="option"') == 1
    exact = client.get("/run/connections", params={"connection": "us"}).text
    assert exact.index('connection=us"') < exact.index("us-user-service")
    now = {"connection": "prod", "chosen": "prod", "command": "List Users"}
    others = client.get("/run/connections", params=now).text
    assert others.count('role="option"') > 5  # what is chosen is looked away from
    assert 'data-go="/run?connection=us&amp;command=list_users"' in others
    unknown = client.get("/run", params={"connection": "pdeu"})
    assert (unknown.status_code, 'href="/run?connection=PagerDuty%20EU"' in unknown.text) == (404, True)
    for wrong, words in (
        ({"connection": "pro", "command": "list_users"}, "There is no connection &#39;pro&#39;"),
        ({"connection": "prod", "command": "lstusers"}, "has no command &#39;lstusers&#39;"),
    ):
        refused = client.post("/run", data=wrong, headers={**HERE, "HX-Request": "true"}).text
        assert (words in refused, "tabpanel" in refused) == (True, False), refused
    by_title = client.get("/run", params={"connection": "prod", "command": "List Users"})
    assert 'name="command" value="list_users"' in by_title.text


def test_a_narrowed_token_is_offered_its_own_alone(odd: Web) -> None:
    client = signed_in(
        odd,
        "narrow",
        Scope.READ,
        Scope.RUN_READ_ONLY,
        user="rita",
        site="hq",
        commands=("list_users",),
        connections=("prod",),
    )
    assert client.get("/run/connections").text.count('role="option"') == 1
    commands = client.get("/run/commands", params={"connection": "prod"}).text
    assert (commands.count('role="option"'), "List Users" in commands) == (1, True)
    assert client.get("/run", params={"connection": "prod", "command": "create_incident"}).status_code == 404


def test_a_token_that_runs_nothing_is_offered_nothing(odd: Web) -> None:
    client = signed_in(odd, "looks on", Scope.READ, user="rita", site="hq")
    assert client.get("/run/connections").status_code == 403
    assert client.get("/run/commands", params={"connection": "prod"}).status_code == 403
