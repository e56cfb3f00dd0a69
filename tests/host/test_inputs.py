"""Bad input at every parameter: a Failed result in the specification's wording, nothing stored, nothing sent."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector_host.app import App
from connector_host.host.inputs import InputForm
from connector_host.host.settings import DateTimeSetting, Limits
from connector_host.host.times import parse_time
from connector_host.manifests.schema import Checker
from connector_host.model.result import Status
from tests.world import Sandbox, World, pagerduty_sandbox

GOOD: dict[str, dict[str, Any]] = {
    "acknowledge_event": {"dedup_key": "k"},
    "create_event": {"summary": "s", "severity": "Info", "source": "s"},
    "fetch_incident": {"start_time": "2026-01-10 00:00", "end_time": "2026-01-11 00:00"},
    "get_all_schedules": {},
    "get_incident_alerts": {"incident_ids": ["Q1"]},
    "get_user_contact_methods": {"user_ids": ["P1"]},
    "list_users": {},
    "resolve_event": {"dedup_key": "k"},
    "resolve_incidents": {"incident_ids": ["Q1"]},
    "test_connection": {},
}
COMMANDS = App().plugins.plugin("pagerduty").commands
GOOD |= {name: dict(one.samples[0].input) for name, one in COMMANDS.items() if name not in GOOD}


def deep(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = [value]
    return value


WRONG_FOR_TYPE: dict[str, list[Any]] = {
    "string": [7, True, ["x"], {"a": 1}],
    "array": [7, "x", {"a": 1}, [7], [None], [[]]],
    "object": [7, True, ["x"]],
    "integer": ["x", 1.5, True, [1]],
    "boolean": ["yes", 1, []],
}
ALWAYS_WRONG = [float("nan"), float("inf"), deep(70), deep(5000), "\ud800", "x" * 1_100_000, object(), b"x", {1, 2}]


def bad_values(schema: dict[str, Any]) -> Iterator[Any]:
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    candidates = [value for kind in kinds for value in WRONG_FOR_TYPE[kind]] if len(kinds) == 1 else [7, True, ["x"]]
    yield from candidates
    yield from ALWAYS_WRONG
    if "minLength" in schema:
        yield ""
    if "minItems" in schema:
        yield []
    if "maxLength" in schema:
        yield "x" * (schema["maxLength"] + 1)
    if "enum" in schema:
        yield "Value"
    if schema.get("format") == "date-time":
        yield from ("", "tomorrow", "2026-13-01 00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00")
    if "minimum" in schema:
        yield schema["minimum"] - 1
    if "maximum" in schema:
        yield schema["maximum"] + 1


@pytest.fixture(scope="module")
def unreached(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world with the connection `prod`, which no request leaves."""
    with pagerduty_sandbox() as sandbox:
        world = World(tmp_path_factory.mktemp("unreached") / "home")
        world.add(sandbox.base)
        yield world
        assert sandbox.requests == []


@pytest.mark.parametrize("command", GOOD)
def test_bad_values_of_each_parameter(unreached: World, command: str) -> None:
    found = COMMANDS[command]

    async def try_all(host: Any) -> None:
        for name, schema in found.input["properties"].items():
            for value in bad_values(schema):
                result = await host.run("pagerduty", command, "prod", {**GOOD[command], name: value})
                assert result.status is Status.FAILED, (name, repr(value)[:80])
                [entry] = result.errors
                text = f"{found.title} failed."
                if found.kind == "test_connection":
                    text += " Failed to check the connector."
                title = schema.get("error_title", schema["title"])
                text += f" Status Code: 2001. Message: The value for parameter ({title}) is invalid."
                assert str(entry).startswith(text)
                assert len(str(entry)) < 1000
        assert await host.history() == []

    unreached.use(try_all)


@pytest.mark.parametrize("command", [name for name in GOOD if COMMANDS[name].input.get("required")])
def test_each_parameter_that_is_missing(unreached: World, command: str) -> None:
    found, good = COMMANDS[command].input, GOOD[command]

    async def leave_out(host: Any) -> None:
        for name in found["required"]:
            for inputs in ({key: value for key, value in good.items() if key != name}, {**good, name: None}):
                [entry] = (await host.run("pagerduty", command, "prod", inputs)).errors
                title = found["properties"][name]["title"]
                assert entry.message == f"The value for parameter ({title}) is invalid."
                assert "required" in entry.detail

    unreached.use(leave_out)


@pytest.mark.parametrize("command", GOOD)
def test_an_unknown_parameter(unreached: World, command: str) -> None:
    [entry] = unreached.run(command, {**GOOD[command], "dedup_kee": "x"}).errors
    assert entry.message == "The value for parameter (dedup_kee) is invalid."
    assert "nothing of that name" in entry.detail


@pytest.mark.parametrize("inputs", [{"query": "x", 7: "y"}, {"\ud800": 1}])
def test_names_that_are_no_names(prod: World, inputs: Any) -> None:
    assert prod.run("list_users", inputs).status is Status.FAILED


def test_options_are_taken_in_any_case(prod: World, sandbox: Sandbox) -> None:
    for severity in ("critical", "CRITICAL", "Critical"):
        assert prod.run("create_event", {**GOOD["create_event"], "severity": severity}).status is Status.PASSED
    assert {event["payload"]["severity"] for event in sandbox.account.events} == {"critical"}


BERLIN = DateTimeSetting("%d.%m.%Y %H:%M", "Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "setting", "expected"),
    [
        ("2022-01-10 00:00", DateTimeSetting(), "2022-01-10T00:00:00+00:00"),
        ("10.07.2022 08:00", BERLIN, "2022-07-10T06:00:00+00:00"),
        ("10.01.2022 08:00", BERLIN, "2022-01-10T07:00:00+00:00"),
        ("2022-07-10T08:00:00", BERLIN, "2022-07-10T06:00:00+00:00"),
        ("2022-07-10T08:00:00+05:30", BERLIN, "2022-07-10T02:30:00+00:00"),
        ("2022-07-10T08:00:00Z", BERLIN, "2022-07-10T08:00:00+00:00"),
        ("2022-07-10", DateTimeSetting(), "2022-07-10T00:00:00+00:00"),
    ],
)
def test_times(text: str, setting: DateTimeSetting, expected: str) -> None:
    found = parse_time(text, setting)
    assert found is not None
    assert (found.isoformat(), found.tzinfo) == (expected, dt.UTC)


def test_the_hosts_setting_of_times_is_followed(tmp_path: Any, sandbox: Sandbox) -> None:
    from connector_host.configuration import bundled

    manifest = tmp_path / "manifest.yaml"
    text = f'plugins: ["{bundled() / "plugins" / "pagerduty"}"]\nsteps: [retry, limit]\n'
    manifest.write_text(text + 'date_time: {format: "%d.%m.%Y %H:%M", time_zone: Europe/Berlin}\n')
    world = World(tmp_path / "home", manifest=manifest)
    world.add(sandbox.base)
    inputs = {"start_time": "10.07.2022 08:00", "end_time": "2022-07-11T08:00:00Z"}
    assert world.run("fetch_incident", inputs).status is Status.PASSED
    assert "since=2022-07-10T06%3A00%3A00Z&until" in sandbox.requests[0]
    assert "until=2022-07-11T08%3A00%3A00Z" in sandbox.requests[0]
    refused = world.run("fetch_incident", {**inputs, "start_time": "07/10/2022"})
    assert "Europe/Berlin" in refused.errors[0].assistance


def test_a_wrong_setting_is_told(tmp_path: Any) -> None:
    from connector_host.model.errors import ConnectorHostError

    manifest = tmp_path / "manifest.yaml"
    for text, words in [
        ("pluggins: []", "no setting 'pluggins'"),
        ("date_time: {fromat: x}", "fromat"),
        ("- a", "must be a mapping"),
        ("limits: {concurrency: many}", "whole numbers"),
        ("limits: {concurrency: 0}", "at least 1"),
        ("limits: {concurency: 5}", "concurency"),
        ("plugins: pagerduty", "a list of folders"),
        ("steps: {retry: 1}", "a list of names"),
        ("retention_days: true", "a whole number"),
        ("date_time: {time_zone: Mars/Olympus}", "Mars/Olympus"),
        ("slots: {store: oracle}", "cannot be filled with 'oracle'"),
        ("steps: [retrie]", "no step 'retrie'"),
    ]:
        manifest.write_text(text)
        with pytest.raises(ConnectorHostError, match=words):
            World(tmp_path, manifest=manifest).use(lambda host: host.connections.list())


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("command", GOOD)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_verdict_and_explanation_agree(command: str, data: st.DataObject) -> None:
    """jsonschema-rs gives the verdict, jsonschema the reasons: they must never contradict each other."""
    found = COMMANDS[command]
    names = [*found.input["properties"], "other"]
    inputs = data.draw(st.dictionaries(st.sampled_from(names), JSON, max_size=4))
    checker = Checker(found.input)
    assert checker.accepts({**GOOD[command], **inputs}) == (not list(checker.faults({**GOOD[command], **inputs})))


@pytest.mark.parametrize("command", GOOD)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_whatever_comes_is_accepted_or_refused_as_input(command: str, data: st.DataObject) -> None:
    from connector_host.model.invocation_errors import InvalidInput

    found = COMMANDS[command]
    form = InputForm(found.input, DateTimeSetting(), Limits())
    values = JSON | st.binary() | st.floats() | st.text(st.characters(codec=None))
    inputs = data.draw(st.dictionaries(st.sampled_from([*found.input["properties"], "other"]), values, max_size=3))
    try:
        form.accept(inputs)
    except InvalidInput as error:
        assert str(error).startswith("The value for parameter (")
