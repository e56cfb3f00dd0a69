"""Where a secret's path leads: which part of it is the engine's mount, and which version the engine is."""

from dataclasses import dataclass

from connector_host import AsyncCall, Failed, url

from .login import asked


@dataclass(frozen=True, slots=True)
class Place:
    """Where to read a secret, in which version of the engine it stands, and whether `data` stands there twice."""

    read: str
    version: str
    doubled: bool


async def place_of(call: AsyncCall, path: str) -> Place:
    """Return the place of a path such as `secret/pagerduty`; asks the vault once per mount, as its own tool does."""
    parts = path.strip("/").split("/")
    if len(parts) < 2:  # noqa: PLR2004 - a mount and a name
        raise Failed(
            f"'{path}' is no secret's path.",
            kind="invalid_input",
            assistance="Write the mount first: secret/pagerduty.",
        )
    version = call.connection["kv_version"]
    mount = parts[:1]
    if version == "auto":
        mounts: dict[str, str] = call.memory.setdefault("mounts", {})
        known = next((one for one in mounts if f"{'/'.join(parts)}/".startswith(one)), None)
        if known is None:
            known, mounts_version = await _asked_for_mount(call, parts)
            mounts[known] = mounts_version
        version, mount = mounts[known], known.strip("/").split("/")
    inside = parts[len(mount) :]
    adds = version == "2"
    return Place(_encoded([*mount, *(["data"] if adds else []), *inside]), version, adds and inside[:1] == ["data"])


async def moved(call: AsyncCall, path: str, before: Place) -> Place | None:
    """Return where a path leads now, where that is not what was known of it: a mount was made anew, or upgraded."""
    if call.connection["kv_version"] != "auto":
        return None
    call.memory.pop("mounts", None)
    try:
        now = await place_of(call, path)
    except Failed:
        return None
    return None if now == before else now


async def _asked_for_mount(call: AsyncCall, parts: list[str]) -> tuple[str, str]:
    """Ask as the vault's own command line does: /sys/internal/ui/mounts/PATH."""
    try:
        answer = await asked(call, "GET", f"/v1/sys/internal/ui/mounts{_encoded(parts).removeprefix('/v1')}")
    except Failed as error:
        if error.failure.kind != "access_denied":
            raise
        raise Failed(
            f"The vault does not let the token read '{'/'.join(parts)}', or it has no such mount.",
            kind="access_denied",
            http_status=403,
            assistance="Check the path and the token's policy; or set KV Version, so that the mount is not asked for.",
        ) from error
    found = answer.get("data") or {}
    return str(found.get("path", f"{parts[0]}/")), str((found.get("options") or {}).get("version", "1"))


def _encoded(parts: list[str]) -> str:
    return url("/v1" + "/{}" * len(parts), *parts)
