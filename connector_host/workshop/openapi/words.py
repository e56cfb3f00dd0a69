"""Names for people and for manifests, made of an OpenAPI document's names."""

import re

_SHORT = {"id": "ID", "ids": "IDs", "url": "URL", "urls": "URLs", "api": "API", "ip": "IP"}


def words(name: str) -> list[str]:
    """Return the words that a name is made of."""
    return re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z0-9]+|[A-Z]+", name)


def snake(name: str) -> str:
    """Return a name as a manifest has it."""
    made = "_".join(word.lower() for word in words(name))
    return made if made[:1].isalpha() else f"p_{made}"


def sentence(text: str) -> str:
    """Return the first sentence of a text."""
    first = re.split(r"(?<=[.!?])\s|\n", str(text).strip(), maxsplit=1)[0].strip()
    return first if first.endswith((".", "!", "?")) else f"{first}."


def titled(name: str) -> str:
    """Return a name as people see it."""
    return " ".join(_SHORT.get(word.lower(), word.capitalize()) for word in words(name))


def joined(name: str) -> str:
    """Return a name as a key field has it."""
    return "".join(word[:1].upper() + word[1:] for word in words(name))
