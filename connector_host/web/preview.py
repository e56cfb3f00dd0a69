"""`plugins preview`: how a plugin looks to people while its files are edited: forms, page, problems, and its grade."""

import json
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import Any

import anyio
import anyio.to_thread
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from connector_host.authoring.checking import validate
from connector_host.authoring.page import page_of
from connector_host.manifests.forms import form_of
from connector_host.model.boundary import outcome_of
from connector_host.web.guard import Guard
from connector_host.web.page import views

LOOK_SECONDS, KIT_SECONDS = 0.5, 300
_CACHES = {"__pycache__", ".git", ".venv", ".pytest_cache", ".mypy_cache", ".ruff_cache"}


class Preview:
    """One plugin's folder, looked at again whenever a file of it changes."""

    def __init__(self, folder: Path, schemas: Path) -> None:
        self._folder, self._schemas = folder, schemas
        self._stamp = ""
        self._shown: Mapping[str, Any] = {}
        self._grade: Mapping[str, Any] = {}
        self._templates = views.environment(views=views)

    def app(self, base: str, hosts: frozenset[str]) -> ASGIApp:
        """Return the application: the page, and what is asked again and again."""
        routes = [
            Mount("/static", StaticFiles(directory=views.HERE / "static")),
            Route("/", self._page, methods=["GET"]),
            Route("/now", self._now, methods=["GET"]),
        ]
        return Guard(Starlette(routes=routes), base, hosts)

    async def watch(self) -> None:
        """Look at the folder for ever; what is new is checked at once, and graded beside it."""
        async with anyio.create_task_group() as group:
            while True:
                stamp = await anyio.to_thread.run_sync(self._stamp_now)
                if stamp != self._stamp:
                    shown, error = await outcome_of(anyio.to_thread.run_sync(self._looked_at))
                    self._shown = shown or {"problems": (), "manifest": None, "fault": str(error)}
                    self._stamp, self._grade = stamp, {}
                    group.start_soon(self._grade_it, stamp)
                await anyio.sleep(LOOK_SECONDS)

    async def _grade_it(self, stamp: str) -> None:
        """Grade what stands there; what came meanwhile is graded by itself."""
        grade, error = await outcome_of(anyio.to_thread.run_sync(self._graded))
        if stamp == self._stamp:
            self._grade = grade or _ungraded(str(error))

    def _stamp_now(self) -> str:
        found = []
        for file in sorted(self._folder.rglob("*")):
            if not _CACHES & set(file.relative_to(self._folder).parts):
                with suppress(OSError):  # an editor has put another in its place
                    facts = file.stat()
                    found.append([str(file), facts.st_mtime_ns, facts.st_size])
        return json.dumps(found)

    def _looked_at(self) -> Mapping[str, Any]:
        findings = validate(self._folder, self._schemas)
        manifest = findings.manifest
        if manifest is None:
            return {"problems": findings.problems, "manifest": None}
        forms = {command.id: form_of(command) for command in manifest.commands.values()}
        return {
            "problems": findings.problems,
            "manifest": manifest,
            "form": form_of(manifest),
            "forms": forms,
            "readme": page_of(manifest),
        }

    def _graded(self) -> Mapping[str, Any]:
        """Run the kit in a process of its own, so that it sees the code as it is now."""
        if self._shown["manifest"] is None:
            return {"grade": "none"}
        command = [sys.executable, "-m", "connector_host", "plugins", "test", str(self._folder), "--output", "json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=KIT_SECONDS, check=False)  # noqa: S603 - our own program
        try:
            report: Mapping[str, Any] = json.loads(done.stdout)
        except ValueError:
            return _ungraded(done.stderr)
        return {**report, "failed": [one for one in report["checks"] if one["outcome"] == "failed"]}

    async def _page(self, _request: Request) -> Response:
        return self._answer("preview.html")

    async def _now(self, request: Request) -> Response:
        """Show what is new since what the page has; nothing where nothing is."""
        if request.query_params.get("seen") == self._version:
            return Response(status_code=204)
        return self._answer("preview_body.html")

    @property
    def _version(self) -> str:
        return f"{hash(self._stamp)}-{self._grade.get('grade', 'pending')}"

    def _answer(self, name: str) -> Response:
        nonce = token_hex(12)
        shown = {"manifest": None, "problems": (), "fault": "", **self._shown}
        facts = {**shown, "grade": self._grade, "version": self._version, "nonce": nonce, "folder": self._folder.name}
        text = self._templates.get_template(name).render({**facts, "ready": bool(self._shown)})
        headers = {"Content-Security-Policy": views.policy(nonce), "Cache-Control": "no-store"}
        return HTMLResponse(text, headers=headers)


def _ungraded(why: str) -> Mapping[str, Any]:
    return {"grade": "none", "failed": [{"rule": "the kit", "about": "", "detail": why.strip()[-500:]}]}
