"""A command as authors wrote it for release 1.0."""

from connector_host.model.authoring import Item, command, url
from connector_host.ports.calls import AsyncCall


@command(each="ids")
async def read_things(call: AsyncCall, item: str, sender: str = "nobody") -> Item:
    """Read one thing."""
    return Item(item, await call.request("GET", url("/things/{}", item), query={"from": sender}))


@command
async def tell_extra(call: AsyncCall) -> object:
    """Give what is no text of a secret that is an object."""
    return {name: value for name, value in call.connection["extra"].items() if not isinstance(value, str)}
