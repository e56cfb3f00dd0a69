"""Verdicts inside a good answer: each item of it went well or failed by itself, as the manifest's `results` say."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from connector_host.http.refusals import kind_of, phrase
from connector_host.model.authoring import Failed, Item, item_name
from connector_host.model.failure import Kind
from connector_host.model.paths import ABSENT, JsonPath, compile_path
from connector_host.model.requests import ItemResults
from connector_host.model.template import compile_value

_REFUSED, _NO_STATUS = 400, 600
_TEXTS = 20  # of an item's error that are told


class ItemVerdicts:
    """The rule of one command, compiled."""

    def __init__(self, results: ItemResults) -> None:
        self._path = compile_path(results.path)
        self._item, self._status = _compiled(results.item), _compiled(results.status)
        self._errors = tuple(map(compile_path, results.error))
        self._ok: list[Callable[[Mapping[str, Any]], Any]] = [compile_value(one) for one in results.ok]

    def failures(self, reply: Any, roots: Mapping[str, Any]) -> tuple[list[Item], int]:
        """Return the items of a reply that failed, and how many went well."""
        found = [one for value in self._path.find(reply) for one in (value if isinstance(value, list) else [value])]
        good = [value for fill in self._ok if (value := fill(roots)) is not ABSENT and value is not None]
        failed = [
            Item(self._name(one, index, len(found)), error)
            for index, one in enumerate(found)
            if (error := self._error(one, good)) is not None
        ]
        return failed, len(found) - len(failed)

    def _name(self, one: Any, index: int, count: int) -> str | None:
        name = None if self._item is None else self._item.first(one)
        if name is not None and name is not ABSENT and name != "":
            return item_name(name)
        return str(index + 1) if count > 1 else None

    def _error(self, one: Any, good: list[Any]) -> Failed | None:
        status = ABSENT if self._status is None else self._status.first(one)
        texts = list(dict.fromkeys(text for path in self._errors for text in _texts(path.find(one))))[:_TEXTS]
        number = status if isinstance(status, int) and not isinstance(status, bool) else None
        http_status = number if number is not None and _REFUSED <= number < _NO_STATUS else None
        if (any(_is(status, value) for value in good) if good else http_status is None) and not texts:
            return None
        if good and status is ABSENT and not texts:
            return Failed("The answer does not say what became of it.", kind=Kind.UNEXPECTED_REPLY, effect="unknown")
        if not texts:
            texts = [_told(status, good) if http_status is None else phrase(http_status)]
        kind = Kind.NOT_CONFIRMED if http_status is None and not self._errors else Kind.REJECTED
        return Failed(
            "; ".join(texts),
            kind=kind if http_status is None else kind_of(http_status),
            http_status=http_status,
            effect="unknown" if good and any(_is(status, value) for value in good) else "none",
        )


def _compiled(path: str | None) -> JsonPath | None:
    return None if path is None else compile_path(path)


def _is(status: Any, value: Any) -> bool:
    """Whether a status is a good value: the same, or of the class that a text such as 2xx names."""
    text = str(status)
    same = type(status) is type(value) and status == value
    of_class = len(text) == len("2xx") and text.isdecimal() and f"{text[:1]}xx" == value
    return same or (status is not ABSENT and text == str(value)) or of_class


def _told(status: Any, good: list[Any]) -> str:
    wanted = " or ".join(f"'{one}'" for one in good)
    return f"The answer says '{status}', not {wanted}" if good else "It failed"


def _texts(found: list[Any]) -> Iterator[str]:
    for value in found:
        if isinstance(value, list):
            yield from _texts(value)
        elif isinstance(value, Mapping):
            yield from _texts(list(value.values()))
        elif value is not None and not isinstance(value, bool) and str(value).strip():
            yield str(value).strip()
