"""The base of nouns that can hold a secret: what is named `hidden` is in no repr, whoever prints it."""

from collections.abc import Iterator
from typing import Any, ClassVar

from msgspec import Struct


class Guarded(Struct, frozen=True):
    """A frozen value; msgspec would show every field, and rich asks a hook of its own."""

    hidden: ClassVar[frozenset[str]] = frozenset()

    def __rich_repr__(self) -> Iterator[tuple[str, Any]]:
        for name in self.__struct_fields__:
            if name not in self.hidden:
                yield name, getattr(self, name)

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"{type(self).__name__}({shown})"
