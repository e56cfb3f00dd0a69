"""Errors planted for the type checker: each line that ends with a comment must be told of, and no other."""

from connector_host import Host, Result, open_host
from connector_host import Nonsense  # attr-defined


async def use(host: Host, result: Result) -> None:
    host.connections  # attr-defined
    await host.as_operator().run("pagerduty", "list_users")  # call-arg
    await host.as_operator().run("pagerduty", "list_users", 7)  # arg-type
    await host.acting_for("ann").history()  # arg-type
    result.status = result.status  # misc
    result.statuss  # attr-defined
    async with open_host(home="/tmp") as other:  # call-arg
        other.plugins.nonsense()  # attr-defined
