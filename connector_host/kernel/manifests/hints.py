"""What an author may have meant."""

from collections.abc import Iterable

from connector_host.kernel.schema import nearest

_MOST = 30


def hint(name: str, known: Iterable[str]) -> tuple[str, str | None]:
    """Return advice for a name that is not known, and the name that was probably meant."""
    names = sorted(known)
    near = nearest(name, names)
    shown = ", ".join(names[:_MOST]) + (", …" if len(names) > _MOST else "")
    advice = f"Did you mean '{near}'? " if near else ""
    return f"{advice}Allowed: {shown}." if names else f"{advice}There is none.", near
