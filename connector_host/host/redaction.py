"""Keeps secrets out of everything that leaves the host: by exact value, in each form in which a value travels."""

import base64
import html
import json
import logging
import re
import weakref
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

from connector_host.model.invocation import UNDER_WAY
from connector_host.model.json_text import unescaped

SHORTEST = 6
_NOTHING: Mapping[str, Any] = {}
MASK = "********"
_ESCAPED = re.compile(r"[\"\\\x00-\x1f]")  # what JSON writes behind a backslash


class Redactor:
    """Replaces a set of secrets by a mask; values under six characters are left, so that words stay readable."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._forms: set[str] = set()
        self._escaped = False
        self._numbers: set[str] = set()  # secrets that JSON may hold as numbers
        for secret in secrets:
            self._take(secret)
        self._prepare()

    def learn(self, secret: str) -> None:
        """Take one more secret."""
        if len(secret) >= SHORTEST and secret not in self._forms:
            self._take(secret)
            self._prepare()

    def _take(self, secret: str) -> None:
        if len(secret) >= SHORTEST:
            self._forms.update(_forms(secret))
            self._escaped = self._escaped or bool(_ESCAPED.search(secret))
            if secret.lstrip("-").replace(".", "", 1).isdigit():
                self._numbers.add(secret)

    def _prepare(self) -> None:
        ordered = sorted(self._forms, key=len, reverse=True)
        ordered = [form for form in ordered if len(form) >= SHORTEST]
        self._pattern = re.compile("|".join(map(re.escape, ordered))) if ordered else None
        needles: list[bytes] = []
        for form in reversed(ordered):  # what holds a shorter one needs no search of its own
            needle = form.encode("utf-8", "surrogatepass")
            if not any(shorter in needle for shorter in needles):
                needles.append(needle)
        self._needles = needles

    def text(self, text: str) -> str:
        """Return the text without secrets."""
        return self._pattern.sub(MASK, text) if self._pattern else text

    def value(self, value: Any) -> Any:
        """Return the JSON value without secrets; the value itself where there were none."""
        texts = None if self._numbers else _searchable(value)
        if texts is not None and (self._pattern is None or not self._pattern.search(texts)):
            return value
        return self._walk(value)

    def cannot_hold(self, body: bytes) -> bool:
        r"""Whether no secret can stand in the JSON text `body`.

        Behind `\u` any character may hide, and behind `\/` a slash: each is first written as itself, in the text as it
        stands, since a reader would drop the first of two equal keys. Behind the other backslashes only a secret can
        hide that holds what they escape.
        """
        if self._escaped and b"\\" in body:
            return False
        if b"\\u" in body or b"\\/" in body:
            try:
                text = unescaped(body.decode())
            except UnicodeDecodeError:
                return False
            if "\\u" in text or "\\/" in text:  # an escape within an escape
                return False
            body = text.encode("utf-8", "surrogatepass")
        return not any(needle in body for needle in self._needles)

    def _walk(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(key): self._walk(child) for key, child in value.items()}
        if isinstance(value, list | tuple):
            return [self._walk(child) for child in value]
        if value is None or isinstance(value, int | float):
            return MASK if self._numbers and str(value) in self._numbers else value
        return f"<{type(value).__name__}>"


def leaves(value: Any) -> Iterator[str]:
    """Return the text in a secret: itself, or each text inside a secret that is an object or a list."""
    if isinstance(value, Mapping):
        for child in value.values():
            yield from leaves(child)
    elif isinstance(value, list):
        for child in value:
            yield from leaves(child)
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def hides(schema: Any) -> bool:
    """Whether an output's schema marks anything as a secret (`writeOnly`)."""
    if isinstance(schema, Mapping):
        return schema.get("writeOnly") is True or any(map(hides, schema.values()))
    return isinstance(schema, list) and any(map(hides, schema))


def hidden_texts(schema: Any, value: Any) -> Iterator[str]:
    """Return the texts of a value that its schema marks as secrets."""
    if not isinstance(schema, Mapping):
        return
    if schema.get("writeOnly") is True:
        yield from leaves(value)
    elif isinstance(value, Mapping):
        others = schema.get("additionalProperties")
        for name, child in value.items():
            yield from hidden_texts(schema.get("properties", {}).get(name, others), child)
    elif isinstance(value, list):
        for child in value:
            yield from hidden_texts(schema.get("items"), child)


def _searchable(value: Any) -> str | None:
    """Every text in the value, as it is: escapes would hide secrets that hold quotes. None where it is not JSON."""
    found: list[str] = []
    stack = [value]
    while stack:
        top = stack.pop()
        if isinstance(top, str):
            found.append(top)
        elif isinstance(top, dict):
            found.extend(top)
            stack.extend(top.values())
        elif isinstance(top, list | tuple):
            stack.extend(top)
        elif top is not None and not isinstance(top, int | float):
            return None
    return "\n".join(found)


def _forms(secret: str) -> Iterator[str]:
    """Return each form in which a secret may come back: as it is, and as the ways of a text write it."""
    for text in dict.fromkeys(_readings(secret)):
        plain = text.encode("utf-8", "surrogatepass")
        yield text
        for written in (quote(plain, safe=""), quote(plain, safe="/"), quote_plus(plain)):
            yield from (written, _PERCENT.sub(lambda found: found[0].lower(), written), quote(written, safe=""))
        for inside in (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], text.replace("/", "\\/")):
            yield from (inside, json.dumps(inside)[1:-1])
        yield from (html.escape(text), html.escape(text, quote=False), html.escape(text).replace("&#x27;", "&#39;"))
        yield from (plain.hex(), plain.hex().upper())
        yield from _base64_forms(plain)


def _readings(secret: str) -> Iterator[str]:
    """Return a secret as other ends of a line, or no end, leave it; and the lines of one that has several."""
    unix = secret.replace("\r\n", "\n")
    for text in (secret, unix, unix.replace("\n", "\r\n"), unix.replace("\n", "\\n"), " ".join(secret.split())):
        yield from (text, text.strip())
    lines = [line.strip() for line in unix.split("\n")]
    if len(lines) > 1:
        yield from (line for line in lines if len(line) >= _TELLING and not line.startswith("-----"))


_PERCENT = re.compile("%[0-9A-F]{2}")
_TELLING = 16  # characters of a line, from which it is a part of a secret and no word


def _base64_forms(plain: bytes) -> Iterator[str]:
    """Return the secret's characters in base64, alone or behind others (as the password in `user:password`)."""
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for shift in range(3):
            encoded = encode(b"\0" * shift + plain).decode().rstrip("=")
            certain = encoded[(0, 2, 3)[shift] :]
            whole = (shift + len(plain)) % 3 == 0
            yield certain if whole else certain[:-1]
            if shift == 0 and not whole:
                yield from (certain, f"{certain}{'=' * (-len(encoded) % 4)}")


class RedactingFilter(logging.Filter):
    """Takes the secrets of all connections in use out of log records, tracebacks included."""

    def __init__(self) -> None:
        super().__init__()
        self._redactors: dict[int, Redactor] = {}
        OPEN_FILTERS.add(self)

    def learn(self, redactor: Redactor) -> None:
        """Redact its secrets from now on."""
        self._redactors[id(redactor)] = redactor

    def forget(self, redactor: Redactor) -> None:
        """Forget the secrets of a connection that is not in use any more."""
        self._redactors.pop(id(redactor), None)

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record, and note during which invocation it was made; never drops one."""
        told = UNDER_WAY.get(_NOTHING)
        for name in ("invocation", "connection", "request_id"):
            if told.get(name) and not hasattr(record, name):
                setattr(record, name, told[name])
        record.msg, record.args = self.clean(record.getMessage()), ()
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = self.clean(record.exc_text)
            record.exc_info = None
        return True

    def clean(self, text: str) -> str:
        """Return the text without any known secret."""
        for redactor in tuple(self._redactors.values()):
            text = redactor.text(text)
        return text


OPEN_FILTERS: "weakref.WeakSet[RedactingFilter]" = weakref.WeakSet()


class HandlerFilter(logging.Filter):
    """Takes the secrets of every open host out of what a handler writes, whichever logger it comes from."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record; never drops one."""
        for one in tuple(OPEN_FILTERS):
            one.filter(record)
        return True
