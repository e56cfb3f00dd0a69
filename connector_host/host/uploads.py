"""Files on their way into a command: bounded in size and number, readable by the host alone, gone once used or old."""

import hashlib
import json
import re
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec import to_builtins

from connector_host.host.settings import Limits
from connector_host.manifests.parameters import size_in_bytes
from connector_host.model.authoring import Upload
from connector_host.model.caller import Actor
from connector_host.model.errors import BadSetting
from connector_host.model.invocation_errors import InvalidInput

_REFERENCE = re.compile(r"upload:[0-9a-f]{32}")
KEPT_SECONDS = 24 * 3600
MOST = 200  # files of one owner
NOBODY = Actor("nobody")


class Uploads:
    """Files kept until their command has run: a folder of each owner's in the host's data folder."""

    def __init__(self, home: Path, limits: Limits, owner: Actor = NOBODY) -> None:
        self._home = home
        self._all = home / "uploads"
        self._limits = limits
        self._owner = to_builtins(owner)
        self._folder = self._all / hashlib.sha256(json.dumps(self._owner).encode()).hexdigest()[:32]

    def of(self, owner: Actor) -> "Uploads":
        """Return the same for somebody's own files."""
        return Uploads(self._home, self._limits, owner)

    def put(self, name: str, content: bytes, media_type: str = "") -> str:
        """Keep a file; raises BadSetting where it, or all together, would be too large, or one has too many."""
        if len(content) > self._limits.file_bytes:
            raise BadSetting(
                f"The file '{name}' has {len(content)} bytes; at most {self._limits.file_bytes} are taken."
            )
        kept = self._kept()
        if kept + len(content) > self._limits.spool_bytes:
            raise BadSetting(
                f"There are too many uploads: {kept} of {self._limits.spool_bytes} bytes wait for their commands."
            )
        for folder in (self._all, self._folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if len(list(self._folder.glob("*.bin"))) >= MOST:
            raise BadSetting(f"{MOST} of your files wait for their commands: use or forget some first.")
        key = uuid.uuid4().hex
        facts = {"name": Path(name).name or "file", "media_type": media_type, "owner": self._owner}
        for suffix, text in ((".bin", content), (".json", json.dumps(facts).encode())):
            file = self._folder / f"{key}{suffix}"
            file.touch(mode=0o600)
            file.write_bytes(text)
        return f"upload:{key}"

    def find(self, reference: str) -> Upload | None:
        """Return a kept file, or None where there is none of this owner's."""
        if not _REFERENCE.fullmatch(reference):
            return None
        content = self._file(reference, ".bin")
        try:
            facts = json.loads(self._file(reference, ".json").read_text("utf-8"))
            own = facts["owner"] == self._owner
            return Upload(facts["name"], facts["media_type"], content.stat().st_size, content) if own else None
        except (OSError, ValueError, KeyError):
            return None

    def remove(self, reference: str) -> None:
        """Forget a file, whosever it is; one that is not there is no error."""
        if _REFERENCE.fullmatch(reference):
            for file in self._all.glob(f"*/{reference.removeprefix('upload:')}.*"):
                file.unlink(missing_ok=True)

    def _file(self, reference: str, suffix: str) -> Path:
        return self._folder / f"{reference.removeprefix('upload:')}{suffix}"

    def _kept(self) -> int:
        """Forget what is old; return the bytes of what is left. Other programs may take files away meanwhile."""
        oldest, kept = time.time() - KEPT_SECONDS, 0
        for file in self._all.glob("*/*"):
            with suppress(FileNotFoundError):
                facts = file.stat()
                if facts.st_mtime < oldest:
                    file.unlink()
                elif file.suffix == ".bin":
                    kept += facts.st_size
        return kept


class FileInputs:
    """The parameters of one command that take files."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        properties = schema.get("properties", {})
        self._largest = {
            name: size_in_bytes(one["max_size"]) if "max_size" in one else None
            for name, one in properties.items()
            if one.get("format") == "file"
        }
        self._titles = {name: properties[name].get("title", name) for name in self._largest}

    def opened(self, inputs: dict[str, Any], uploads: Uploads, owner: Actor) -> tuple[dict[str, Any], list[str]]:
        """Return the inputs with the owner's files in place of references, and the references; raises InvalidInput."""
        if not self._largest:
            return inputs, []
        uploads = uploads.of(owner)
        found = {name: inputs[name] for name in self._largest if name in inputs}
        files = {name: self._file(name, reference, uploads) for name, reference in found.items()}
        return {**inputs, **files}, list(found.values())

    def _file(self, name: str, reference: str, uploads: Uploads) -> Upload:
        file, largest = uploads.find(reference), self._largest[name]
        if file is None:
            advice = "Upload the file first (session.uploads.put), and give the reference that it returns."
            raise InvalidInput(self._titles[name], f"'{reference}' is no uploaded file.", advice)
        if largest is not None and file.size > largest:
            raise InvalidInput(self._titles[name], f"The file has {file.size} bytes; at most {largest} are taken.")
        return file
