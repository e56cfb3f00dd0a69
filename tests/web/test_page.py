"""The page in a browser, as a person walks it: `demo --serve`, started as a user would, in Debian's chromium."""

import os
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.web.conftest import started

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium")
PICTURES = Path(os.environ.get("PICTURES", "build/pictures"))
AXE = Path(__file__).parent / "vendor" / "axe-core-4.14.1" / "axe.min.js"
MODES = [(1280, "light"), (390, "dark"), (1280, "dark"), (390, "light")]
RUN = MODES if "ALL_MODES" in os.environ else MODES[:2]
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
    pytest.mark.timeout(180),
    pytest.mark.long,
]


def demo() -> AbstractContextManager[str]:
    return started("demo", "--serve", "--port", "0", expect=r"Open the page: (\S+)")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        made = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield made
        made.close()


class Person:
    """Somebody at the page: each window they see is kept as a picture, and looked over."""

    def __init__(self, page: Any, mode: str) -> None:
        self.page, self.mode, self.said, self.audited = page, mode, list[str](), 0
        page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.said.append(str(error)))

    def sees(self, name: str) -> None:
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=str(PICTURES / f"{name}-{self.mode}.png"))
        wide = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{name} scrolls sideways by {wide}"
        unnamed = self.page.evaluate(
            "[...document.querySelectorAll('input:not([type=hidden]), select, textarea')]"
            ".filter(one => !one.labels?.length && !one.ariaLabel).map(one => one.name)"
        )
        assert unnamed == [], f"{name} has fields without a name: {unnamed}"
        assert self.page.locator("h1").count() == 1
        self.page.evaluate(AXE.read_text("utf-8"))
        found = self.page.evaluate("axe.run().then((all) => all.violations)")
        told = [f"{one['id']}: {one['help']} {[node['html'][:120] for node in one['nodes']][:3]}" for one in found]
        assert told == [], f"{name}: {told}"
        assert self.said == []
        self.audited += 1


@pytest.mark.parametrize(("width", "scheme"), RUN, ids=[f"{width}-{scheme}" for width, scheme in RUN])
def test_the_walk_of_the_specification(browser: Any, width: int, scheme: str) -> None:
    with demo() as link:
        context = browser.new_context(viewport={"width": width, "height": 850}, color_scheme=scheme)
        page = context.new_page()
        person = Person(page, f"{width}-{scheme}")
        page.goto(link)
        person.sees("sign-in")
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/connections")
        person.sees("connections")

        page.goto(link.partition("/sign-in")[0] + "/integrations?q=pager")
        person.sees("integrations")
        page.get_by_role("link", name="PagerDuty").click()
        page.wait_for_url("**/integrations/pagerduty")
        person.sees("integration")
        page.get_by_role("link", name="+ New Connection").click()
        page.wait_for_url("**/connections/new?**")
        page.get_by_label("Region").select_option("EU")
        playwright.expect(page.get_by_label("Server URL")).to_have_value("https://api.eu.pagerduty.com")
        person.sees("new-connection")

        page.goto(link.partition("/sign-in")[0] + "/connections/demo/edit")
        person.sees("edit-connection")
        page.get_by_role("button", name="Test Connection").click()
        playwright.expect(page.locator("#tested .status")).to_contain_text("Passed")
        person.sees("tested")
        for probe, proved in (("Probe Integration Keys", "A resolve of a random"), ("Probe Rights", "GET /teams is")):
            page.get_by_role("button", name=probe).click()
            playwright.expect(page.locator("#tested")).to_contain_text(proved)
        playwright.expect(page.locator("#tested")).to_contain_text("A resolve of a random")
        page.get_by_text("May be run (27)").click()
        person.sees("probed")
        page.get_by_label("Description").fill("The demo's <b>own</b> {{7*7}}")
        page.get_by_role("button", name="Save").click()
        page.wait_for_url("**/connections?saved=demo")
        assert page.get_by_text("The demo's <b>own</b> {{7*7}}").is_visible()

        page.get_by_role("button", name="Test", exact=True).click()
        playwright.expect(page.locator("[id^=lamp-]")).to_contain_text("Passed")

        chooses(page, person, link)
        page.get_by_label("User IDs").fill("PU00001\nPNOBODY")
        page.get_by_role("button", name="Run", exact=True).click()
        playwright.expect(page.locator("#result .status")).to_contain_text("Partially Successful")
        person.sees("result")
        page.get_by_role("tab", name="Error 1").click()
        assert page.locator("#panel-error").get_by_text("PNOBODY").is_visible()
        person.sees("error-tab")
        page.get_by_role("tab", name="Raw Data").click()
        page.get_by_text("Copy as CLI").click()
        person.sees("raw-data")

        fetches_and_maps(page, person, link)
        keeps_and_leaves(page, person, link)
        assert person.audited == 24
        context.close()


def chooses(page: Any, person: Person, link: str) -> None:
    """A connection and a command by a few letters, by the keyboard alone: `/`, letters, arrows, Esc and Enter."""
    base, options = link.partition("/sign-in")[0], page.get_by_role("option")
    page.goto(f"{base}/run")
    page.keyboard.press("/")
    playwright.expect(options).to_have_text(["demo pagerduty"])
    page.keyboard.type("DM")
    page.keyboard.press("Enter")
    page.wait_for_url("**/run?connection=demo")
    playwright.expect(options).to_have_count(58)  # the field that is next has the focus
    page.keyboard.type("gucm")
    playwright.expect(options).to_have_text(["Get User Contact Methods reads only"])
    person.sees("choosing")
    page.keyboard.press("Escape")
    playwright.expect(page.get_by_role("listbox")).to_have_count(0)
    page.keyboard.press("ArrowDown")
    playwright.expect(page.get_by_role("listbox")).to_have_count(1)
    page.keyboard.press("Escape")
    page.get_by_role("combobox", name="Command").click()
    playwright.expect(options).to_have_text(["Get User Contact Methods reads only"])
    page.get_by_role("combobox", name="Command").fill("user")
    playwright.expect(options.nth(1)).to_contain_text("User")
    page.get_by_role("combobox", name="Command").fill("zzz")
    playwright.expect(page.get_by_text("Nothing has these letters in this order.")).to_be_visible()
    playwright.expect(options).to_have_count(0)
    page.keyboard.press("Enter")
    assert page.get_by_role("button", name="Run", exact=True).count() == 0
    page.goto(f"{base}/run?connection=demo&command=list_users")
    page.get_by_role("combobox", name="Connection").fill("other")
    page.get_by_role("button", name="Run", exact=True).focus()
    playwright.expect(page.get_by_role("combobox", name="Connection")).to_have_value("demo")
    page.goto(f"{base}/run?connection=demo&command=usrcontct")
    person.said.clear()  # the browser tells of the status
    page.get_by_role("link", name="Get User Contact Methods").click()
    page.wait_for_url("**/run?connection=demo&command=get_user_contact_methods")


def fetches_and_maps(page: Any, person: Person, link: str) -> None:
    """Incidents fetched, one field more mapped by a click on a real record, times written as one likes."""
    base = link.partition("/sign-in")[0]
    page.get_by_role("tab", name="Raw Data").click()
    page.get_by_label("Try a path").fill("$[*].contact_methods[*].address")
    page.get_by_role("button", name="Try", exact=True).click()
    playwright.expect(page.locator("#found")).to_contain_text("values at")
    person.sees("path-tried")

    page.goto(f"{base}/intake")
    page.get_by_role("button", name="Fetch now").click()
    playwright.expect(page.locator("#result .status")).to_contain_text("Passed")
    page.get_by_role("link", name="Show them").click()
    page.wait_for_url("**/intake?**")
    page.get_by_role("button", name="Schedule").click()
    playwright.expect(page.locator("table").first).to_contain_text("5 min")
    person.sees("intake")

    page.goto(f"{base}/mapping")
    row = page.locator("#rows-i tr").last
    row.get_by_label("Field of incident").fill("Service")
    row.locator("[data-source]").focus()
    page.locator("[data-sample] [data-path='$.service.summary']").click()
    playwright.expect(row.locator("[data-source]")).to_have_value(".service.summary")
    playwright.expect(page.locator("#mapped tr", has_text="Service")).not_to_contain_text("\N{EN DASH}")
    person.sees("mapping")
    page.get_by_role("button", name="Save").click()
    playwright.expect(page.get_by_role("status")).to_contain_text("version 1")

    page.goto(f"{base}/settings")
    page.get_by_label("Format").fill("%d.%m.%Y %H:%M")
    page.get_by_label("Time zone").fill("Europe/Berlin")
    page.get_by_role("button", name="Save").click()
    playwright.expect(page.get_by_role("status")).to_contain_text("CE")
    page.goto(f"{base}/run?connection=demo&command=fetch_incident")
    page.get_by_label("Start Time").fill("31.01.2026 09:00")
    page.get_by_label("End Time").focus()
    playwright.expect(page.locator("[data-utc]").first).to_contain_text("2026-01-31 08:00:00 UTC")
    person.sees("times")
    page.goto(f"{base}/history?command=get_user_contact_methods")
    person.sees("history-searched")
    page.locator("tbody a").first.click()
    page.wait_for_url("**/history/*")


def keeps_and_leaves(page: Any, person: Person, link: str) -> None:
    """What comes after a run: its permanent link, the lists, and signing out, after which nothing is shown."""
    person.sees("past-run")
    for window in ("history", "audit", "places", "tokens", "charts", "settings"):
        page.goto(link.partition("/sign-in")[0] + f"/{window}")
        person.sees(window)
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in**")
    page.go_back()
    page.reload()
    page.wait_for_url("**/sign-in**")


@pytest.fixture
def signed(browser: Any) -> Iterator[tuple[Any, str]]:
    """A page that somebody signed in to by the keyboard alone, as wide as 200 % zoom leaves it, without motion."""
    with demo() as link:
        context = browser.new_context(
            viewport={"width": 640, "height": 425}, device_scale_factor=2, reduced_motion="reduce"
        )
        page = context.new_page()
        page.goto(link)
        page.keyboard.press("Tab")
        while page.evaluate("document.activeElement.textContent").strip() != "Sign in":
            page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.wait_for_url("**/connections")
        yield page, link.partition("/sign-in")[0]
        context.close()


def test_the_keyboard_is_enough(signed: tuple[Any, str]) -> None:
    page, base = signed
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.type") == "search"
    page.goto(f"{base}/run?connection=demo&command=get_user_contact_methods")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "connection"
    while page.evaluate("document.activeElement.name") != "i:user_ids":
        page.keyboard.press("Tab")
    page.keyboard.type("PU00001")
    page.keyboard.press("Enter")
    page.keyboard.type("PNOBODY")
    page.keyboard.press("Control+Enter")
    playwright.expect(page.locator("#result .status")).to_contain_text("Partially Successful")
    assert page.evaluate("document.activeElement.id") == "result"  # where the reader goes on
    while page.evaluate("document.activeElement.role") != "tab":
        page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.id") == "tab-return"
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.activeElement.id") == "tab-error"
    assert page.locator("#panel-error").get_by_text("PNOBODY").is_visible()
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"  # it is seen where one is


def test_nothing_is_lost_at_twice_the_size_and_nothing_moves(signed: tuple[Any, str]) -> None:
    page, base = signed
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    for window in (
        "connections",
        "connections/demo/edit",
        "integrations",
        "integrations/pagerduty",
        "run?connection=demo&command=create_incident",
        "history",
        "intake",
        "mapping",
        "charts",
        "audit",
        "places",
        "tokens",
        "settings",
    ):
        page.goto(f"{base}/{window}")
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{window} scrolls sideways by {wide}"
        moving = page.evaluate(
            "[...document.querySelectorAll('*')].map((one) => getComputedStyle(one)).filter((style) =>"
            " style.animationName !== 'none' && parseFloat(style.animationDuration) > 0.001 || style.transitionDuration.split(', ').some((time) => parseFloat(time) > 0.001)).length"
        )
        assert moving == 0, window
    assert said == []
