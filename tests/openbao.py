"""The real OpenBao server, which has HashiCorp Vault's API: started, sealed, stopped and killed at will."""

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

CONFIG = """
storage "inmem" {{}}
listener "tcp" {{ address = "127.0.0.1:{port}", tls_disable = true }}
{tls}
api_addr = "http://127.0.0.1:{port}"
"""
TLS = """
listener "tcp" {{
  address = "127.0.0.1:{port}"
  tls_cert_file = "{certificate}"
  tls_key_file = "{key}"
}}
"""


def program() -> str | None:
    """Where the program is: beside this Python, or on the path."""
    beside = Path(sys.executable).with_name("bao")
    return str(beside) if beside.exists() else shutil.which("bao")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


class OpenBao:
    """A server with its log in a folder and its storage in memory; `root` is the root token."""

    def __init__(self, folder: Path, certificate: Path | None = None, key: Path | None = None) -> None:
        self.folder = folder
        self.port, self.tls_port = free_port(), free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.tls_base = f"https://127.0.0.1:{self.tls_port}"
        tls = TLS.format(port=self.tls_port, certificate=certificate, key=key) if certificate else ""
        (folder / "config.hcl").write_text(CONFIG.format(port=self.port, tls=tls))
        self.root = ""
        self._unseal_key = ""
        self._process: subprocess.Popen[bytes] | None = None
        self.start()
        made = self.ask("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
        self.root, self._unseal_key = made["root_token"], made["keys"][0]
        self.unseal()

    def start(self) -> None:
        executable = program()
        assert executable is not None
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [executable, "server", f"-config={self.folder / 'config.hcl'}"], stdout=log, stderr=log
            )
        self._until(lambda: self.ask("GET", "sys/seal-status"))

    def _until(self, works: Callable[[], Any]) -> None:
        """Try until it works, for half a minute at most."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                works()
            except OSError:  # no answer, or a refusal
                time.sleep(0.05)
            else:
                return
        raise AssertionError((self.folder / "log").read_text())

    def unseal(self) -> None:
        self.ask("PUT", "sys/unseal", {"key": self._unseal_key})
        self._until(lambda: self.ask("GET", "sys/mounts"))  # active a moment after it is unsealed

    def seal(self) -> None:
        self.ask("PUT", "sys/seal", {})

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait()

    def ask(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Any:
        """Ask as the root."""
        data = None if body is None else json.dumps(body).encode()
        more = {"X-Vault-Token": self.root, **(headers or {})}
        request = urllib.request.Request(f"{self.base}/v1/{path}", data, more, method=method)
        with urllib.request.urlopen(request, timeout=20) as answer:
            text = answer.read()
            return json.loads(text) if text else None

    def mount(self, path: str, version: int) -> None:
        self.ask("POST", f"sys/mounts/{path}", {"type": "kv", "options": {"version": str(version)}})
        self._until(lambda: self.put(path, "ready", version, x="1"))  # version 2 prepares itself for a moment

    def put(self, mount: str, name: str, version: int = 2, /, **fields: str) -> None:
        where, body = (f"{mount}/data/{name}", {"data": fields}) if version == 2 else (f"{mount}/{name}", fields)
        self.ask("POST", where, body)

    def token(self, policy: str, **more: Any) -> str:
        """A token that may do what a policy in HCL says."""
        name = f"p{abs(hash(policy))}"
        self.ask("PUT", f"sys/policies/acl/{name}", {"policy": policy})
        made: str = self.ask("POST", "auth/token/create", {"policies": [name], **more})["auth"]["client_token"]
        return made
