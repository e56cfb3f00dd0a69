"""What a name may be."""

from connector_host.contract.errors import BadSetting

MAX_NAME = 100


def checked_name(name: str, what: str) -> str:
    """Return the name; raises BadSetting where it is empty, too long, or can not be printed."""
    if not isinstance(name, str) or not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        raise BadSetting(f"A {what}'s name has 1 to {MAX_NAME} printable characters.")
    return name
