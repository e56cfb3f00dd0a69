"""A stand-in for CyberArk's Central Credential Provider: a few accounts, its error codes, its rights."""

from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

OPTIONS = {
    "app_id": {"title": "Application ID", "type": "string", "default": "SOAR", "description": "The one that may ask."},
    "password": {
        "title": "Password",
        "type": "string",
        "description": "Of the account SOAR/pagerduty; by default u+DoSandboxSandboxbgRQ.",
    },
}


@dataclass
class Account:
    """One account of one safe."""

    safe: str
    name: str
    folder: str = "Root"
    content: str = field(default="", repr=False)
    user_name: str = "svc-soar"
    busy: bool = False

    def document(self) -> dict[str, Any]:
        """Return the account as the web service does; every value is text."""
        return {
            "Content": self.content,
            "UserName": self.user_name,
            "Address": "soar.example.com",
            "Safe": self.safe,
            "Folder": self.folder,
            "Name": self.name,
            "PolicyID": "SOAR-API-Keys",
            "PasswordChangeInProcess": str(self.busy),
        }


@dataclass
class Vault:
    """The accounts, who may ask for them, and what was asked."""

    app_id: str
    accounts: list[Account]
    requests: list[str] = field(default_factory=list)


def build(app_id: str = "SOAR", password: str = "u+DoSandboxSandboxbgRQ") -> Starlette:  # noqa: S107 - a sandbox's
    """Return the stand-in as an ASGI app."""
    accounts = [
        Account("SOAR", "pagerduty", content=password),
        Account("SOAR", "jira", folder="Root\\tickets", content="jira-api-token-of-the-sandbox"),
        Account("SOAR", "changing", content="old-password-of-the-sandbox", busy=True),
    ]
    app = Starlette(routes=[Route("/AIMWebService/api/Accounts", _accounts)])
    app.state.vault = Vault(app_id, accounts)
    return app


def _accounts(request: Request) -> JSONResponse:
    vault: Vault = request.app.state.vault
    vault.requests.append(str(request.url.query))
    query = dict(request.query_params)
    if query.pop("AppID", None) != vault.app_id:
        return _error(403, "APPAP306E", "Authentication error for App ID: the application is not allowed.")
    query.pop("Reason", None)
    if "Query" in query:
        query |= dict(part.partition("=")[::2] for part in query.pop("Query").split(";"))
    if "Safe" not in query:
        return _error(400, "APPAP227E", "The query holds no safe.")
    found = [one for one in vault.accounts if _fits(one, query)]
    if not found:
        return _error(404, "APPAP004E", f"Password object matching query {query} was not found.")
    if len(found) > 1:
        return _error(400, "APPAP228E", f"There are {len(found)} password objects that fit the query.")
    return JSONResponse(found[0].document())


def _fits(account: Account, query: dict[str, str]) -> bool:
    facts = account.document()
    names = {"Object": "Name"}
    return all(facts.get(names.get(key, key)) == value for key, value in query.items())


def _error(status: int, code: str, message: str) -> JSONResponse:
    return JSONResponse({"ErrorCode": code, "ErrorMsg": message}, status)
