"""Nouns that can hold a secret do not show it: each is made with planted secrets, and looked at."""

import importlib
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec import Struct
from rich.pretty import pretty_repr

from bench.house import MODULES
from connector_host.model.guarded import Guarded

PLANTED = "pl4nted/s3cret+value"
SUSPICIOUS = {
    "headers", "body", "secrets", "secret", "values", "password", "token", "refresh_token", "client_secret", "client_key",
    "private_key", "inputs", "draft", "sealed", "wrapped", "revealed",
}  # fmt: skip
NO_SECRET = {  # by what they hold under such a name
    "Connection.secrets": "names", "Ask.token": "without its text", "Visit.token": "the same", "FormField.sealed": "whether it is one", "Invocation.inputs": "has a repr of its own", "Invocation.draft": "the same",
    "StoredConnection.sealed": "sealed", "HistoryRecord.inputs": "redacted", "WrappedKey.wrapped": "sealed",
    "Server.headers": "templates", "RequestTemplate.headers": "templates", "RequestTemplate.body": "a template",
    "HttpExchange.body": "a sample", "HttpExchange.headers": "a sample", "Auth.token": "a template",
    "PooledConnection.values": "guarded themselves", "Core.secrets": "a service", "Plan.body": "a function",
    "Bounds.headers": "a number", "Document.values": "places", "Poll.values": "templates", "ResponseRule.values": "the same",
    "Auth.password": "a template", "ProxyRule.password": "where it stands", "ErrorForm.body": "a word", "Auth.client_secret": "a template", "Auth.refresh_token": "a template",
}  # fmt: skip


def nouns() -> Iterator[type[Struct]]:
    for name in MODULES:
        module = importlib.import_module(name)
        for one in vars(module).values():
            if isinstance(one, type) and issubclass(one, Struct) and one.__module__ == name and one is not Guarded:
                yield one


ALL = sorted(set(nouns()), key=lambda one: (one.__module__, one.__qualname__))


def made(noun: type[Struct], planted: set[str]) -> Any:
    """Make one; msgspec looks at types only when it reads, so anything may stand in a field."""
    values = {name: PLANTED if name in planted else None for name in noun.__struct_fields__}
    return noun(**values)


@pytest.mark.parametrize("noun", [one for one in ALL if issubclass(one, Guarded)], ids=lambda one: one.__qualname__)
def test_a_guarded_noun_shows_no_secret(noun: Any) -> None:
    assert noun.hidden <= set(noun.__struct_fields__)
    one = made(noun, set(noun.hidden))
    for shown in (repr(one), str(one), f"{one}", repr([one]), repr({"a": one}), pretty_repr(one)):
        assert PLANTED not in shown


def test_each_noun_that_can_hold_a_secret_is_guarded() -> None:
    open_fields = []
    for noun in ALL:
        hidden = noun.hidden if issubclass(noun, Guarded) else frozenset()
        for name in set(noun.__struct_fields__) & SUSPICIOUS - hidden:
            field = f"{noun.__qualname__}.{name}"
            if field not in NO_SECRET and PLANTED in repr(made(noun, {name})):
                open_fields.append(field)
    assert open_fields == []
