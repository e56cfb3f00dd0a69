"""Signing in by an organisation's provider: what it says counts as it signs it, for this sign-in alone."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from connector_host import BadSetting
from connector_host.web.page.openid import OpenId
from tests.web.conftest import serving
from tests.web.provider import CLIENT, Provider
from tests.world import World, serving_app

SECRET = "provider-secret-of-this-client"


class Signing:
    """A server that lets people sign in by a provider; `browser()` is one of theirs, with its own cookies."""

    def __init__(self, base: str, provider: Provider, world: World) -> None:
        self.base, self.provider, self.world = base, provider, world
        self.open: list[httpx2.Client] = []

    def browser(self) -> httpx2.Client:
        self.open.append(httpx2.Client(base_url=self.base, trust_env=False, timeout=30))
        return self.open[-1]

    def sent(self, browser: httpx2.Client) -> str:
        """Begin to sign in; return where the provider sends the browser back to."""
        leaving = browser.get("/sign-in/openid")
        assert leaving.status_code == 303, leaving.text
        return str(httpx2.get(leaving.headers["Location"], trust_env=False).headers["Location"])


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Signing]:
    home, provider = tmp_path_factory.mktemp("openid") / "home", Provider()
    world = World(home)

    async def furnish(session: Any) -> None:
        await session.sites.put_tenant("us", master=True)
        await session.sites.put_site("hq", tenant="us")

    world.use(furnish)
    with serving_app(provider.app()) as issuer:
        provider.issuer = issuer
        manifest = home.parent / "manifest.yaml"
        grants = {"soc": ["read", "run"], "leads": ["admin"]}
        oidc = {
            "issuer": issuer,
            "client_id": CLIENT,
            "client_secret": "env:OIDC_SECRET",
            "site": "site",
            "grants": grants,
        }
        manifest.write_text(json.dumps({"oidc": oidc}))
        import os

        os.environ["OIDC_SECRET"] = SECRET
        os.environ["CONNECTOR_HOST_MANIFEST"] = str(manifest)
        try:
            with serving(home) as base:
                del os.environ["CONNECTOR_HOST_MANIFEST"]
                yield Signing(base, provider, world)
        finally:
            os.environ.pop("CONNECTOR_HOST_MANIFEST", None)
            del os.environ["OIDC_SECRET"]


@pytest.fixture
def signing(running: Signing) -> Iterator[Signing]:
    """What is refused is 403, or 429 where it is one of too many within a minute: it was looked at all the same."""
    running.provider.claims, running.provider.wrong = {}, ""
    yield running
    for browser in running.open:
        browser.close()
    running.open.clear()


def test_people_sign_in_by_their_provider(signing: Signing) -> None:
    browser = signing.browser()
    assert "Sign in with 127.0.0.1" in browser.get("/sign-in").text
    signing.provider.claims = {"site": "hq", "groups": ["soc", "others"]}
    back = browser.get(signing.sent(browser))
    assert (back.status_code, back.headers["Location"]) == (303, "/connections")
    page = browser.get("/connections").text
    assert "ann" in page
    assert "Sites and Tenants" not in page  # the group grants read and run alone
    [token] = [one for one in signing.world.use(lambda session: session.tokens.list()) if one.user == "ann"]
    assert (token.site, token.groups, [scope.value for scope in token.scopes]) == (
        "hq",
        ("soc", "others"),
        ["read", "run"],
    )
    assert token.expires_at is not None
    signing.world.use(lambda session: session.tokens.revoke(token.id))
    assert browser.get("/connections").status_code == 303  # signed out at once


WRONG_CLAIMS: dict[str, dict[str, Any]] = {
    "another issuer": {"iss": "https://evil.example.com"},
    "another audience": {"aud": "another-client"},
    "several audiences": {"aud": [CLIENT, "another"]},
    "a wrong nonce": {"nonce": "replayed"},
    "no nonce": {"nonce": None},
    "ran out": {"exp": 1},
    "no end": {"exp": None},
    "from tomorrow": {"iat": int(time.time()) + 86_400},
    "no subject": {"sub": ""},
    "odd numbers": {"exp": "soon"},
}


@pytest.mark.parametrize("claims", WRONG_CLAIMS.values(), ids=WRONG_CLAIMS)
def test_attack_09_an_answer_that_is_not_for_this_sign_in(signing: Signing, claims: dict[str, Any]) -> None:
    refused(signing, claims)


@pytest.mark.parametrize("wrong", ["none", "hs256", "another key", "another kind of key", "iss"])
def test_attack_09_an_answer_that_is_not_signed_as_it_must_be(signing: Signing, wrong: str) -> None:
    signing.provider.wrong = wrong
    refused(signing, {})


def refused(signing: Signing, claims: dict[str, Any]) -> None:
    signing.provider.claims = claims
    browser = signing.browser()
    found = browser.get(signing.sent(browser))
    assert found.status_code in (403, 429), found.text
    assert browser.get("/connections").status_code == 303
    assert SECRET not in found.text


def test_attack_09_state_and_code_are_good_once_and_in_one_browser(signing: Signing) -> None:
    browser, thief = signing.browser(), signing.browser()
    back = signing.sent(browser)
    assert thief.get(back).status_code in (403, 429)  # it has no part in it, and the state is used up
    assert browser.get(back).status_code in (403, 429)
    back = signing.sent(browser)
    assert browser.get(back).status_code == 303
    assert browser.get(back).status_code in (403, 429)
    asked = parse_qs(urlsplit(back).query)
    other = signing.sent(browser).replace(parse_qs(urlsplit(signing.sent(browser)).query)["code"][0], "x")
    again = f"{other.split('?')[0]}?code={asked['code'][0]}&state={parse_qs(urlsplit(other).query)['state'][0]}"
    assert browser.get(again).status_code in (403, 429)  # a code of before
    for query in ("", "?state=x", "?code=x", "?error=access_denied&state=x"):
        assert browser.get(f"/sign-in/openid/back{query}").status_code in (403, 429)


def test_who_is_granted_nothing_is_told_so(signing: Signing) -> None:
    for claims, words in (
        ({"groups": ["others"]}, "nothing is granted"),
        ({"preferred_username": None}, "who you are"),
    ):
        signing.provider.claims = claims
        browser = signing.browser()
        found = browser.get(signing.sent(browser))
        assert found.status_code in (403, 429)
        assert words in found.text or found.status_code == 429


@pytest.mark.parametrize("user", ["operator", "health check", "ann at hq"])
def test_attack_08_a_name_in_a_claim_is_a_users_name_alone(signing: Signing, user: str) -> None:
    signing.provider.claims = {"preferred_username": user}
    browser = signing.browser()
    if browser.get(signing.sent(browser)).status_code == 303:
        assert browser.get("/audit").status_code == 403


def test_names_that_cannot_be_shown_are_none(signing: Signing) -> None:
    signing.provider.claims = {"preferred_username": "ann\u202ebob\r\n"}
    browser = signing.browser()
    assert browser.get(signing.sent(browser)).status_code in (403, 429)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"issuer": "http://login.example.com"}, "must be an https address"),
        ({"grants": {"soc": ["everything"]}}, "oidc: Invalid enum value 'everything'"),
        ({"client_secret": "in-the-clear"}, "env:VARIABLE"),
        ({"client_secret": "file:/nothing/here"}, "cannot be read"),
        ({"nonsense": 1}, "unknown field `nonsense`"),
    ],
    ids=["http", "grants", "secret", "file", "key"],
)
def test_wrong_settings_are_refused_at_start(more: dict[str, Any], words: str) -> None:
    given = {"issuer": "https://login.example.com", "client_id": CLIENT, "grants": {"*": ["read"]}, **more}
    with pytest.raises(BadSetting, match=words):
        OpenId(given, "https://here/sign-in/openid/back")


def test_without_a_provider_there_is_none(tmp_path: Path) -> None:
    with serving(tmp_path / "home") as base:
        browser = httpx2.Client(base_url=base, trust_env=False)
        assert browser.get("/sign-in/openid").status_code == 404
        assert "Sign in with" not in browser.get("/sign-in").text
        browser.close()
