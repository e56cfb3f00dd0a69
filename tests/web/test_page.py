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
        page.get_by_label("Description").fill("The demo's <b>own</b> {{7*7}}")
        page.get_by_role("button", name="Save").click()
        page.wait_for_url("**/connections?saved=demo")
        assert page.get_by_text("The demo's <b>own</b> {{7*7}}").is_visible()

        page.get_by_role("button", name="Test", exact=True).click()
        playwright.expect(page.locator("[id^=lamp-]")).to_contain_text("Passed")

        page.goto(link.partition("/sign-in")[0] + "/run?connection=demo")
        page.get_by_label("Command").select_option("get_user_contact_methods")
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

        keeps_and_leaves(page, person, link)
        assert person.audited == 15
        context.close()


def keeps_and_leaves(page: Any, person: Person, link: str) -> None:
    """What comes after a run: its permanent link, the lists, and signing out, after which nothing is shown."""
    page.get_by_role("link", name="link to this run").click()
    page.wait_for_url("**/history/*")
    person.sees("past-run")
    for window in ("history", "audit", "places", "tokens"):
        page.goto(link.partition("/sign-in")[0] + f"/{window}")
        person.sees(window)
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in")
    page.go_back()
    page.reload()
    page.wait_for_url("**/sign-in")
