"""`sites …` and `tenants …`: the places that connections belong to."""

import click

from connector_host.builtin.surfaces.cli.running import caller, output_option, print_rows, say, with_host
from connector_host.contract.face import Entrance


@click.group("sites", help="Add, change and remove sites.")
def sites() -> None:
    """Hold the subcommands."""


@click.group("tenants", help="Add, change and remove tenants.")
def tenants() -> None:
    """Hold the subcommands."""


@sites.command("add")
@click.argument("name")
@click.option("--tenant", help="The tenant it belongs to; by default the master tenant.")
@click.option("--internal/--client", default=True, show_default=True, help="An internal site, or a client's.")
@output_option
@click.pass_obj
def put_site(entrance: Entrance, name: str, tenant: str | None, internal: bool, output: str) -> None:  # noqa: FBT001 - click passes it by name
    """Add a site, or change it."""
    who = caller()
    site = with_host(entrance, lambda host: host.places.put_site(name, tenant=tenant, internal=internal, caller=who))
    kind = "internal" if site.internal else "client"
    words = f"{kind.capitalize()} site '{name}' of '{site.tenant}'."
    say(output, {"name": site.name, "tenant": site.tenant, "kind": kind}, words)


@sites.command("list")
@output_option
@click.pass_obj
def list_sites(entrance: Entrance, output: str) -> None:
    """List sites."""
    who = caller()
    places = with_host(entrance, lambda host: host.places.map(who))
    rows = [(one.name, one.tenant, "internal" if one.internal else "client") for one in places.sites.values()]
    document = [dict(zip(("name", "tenant", "kind"), row, strict=True)) for row in rows]
    print_rows(output, ("Site", "Tenant", "Kind"), rows, document)


@sites.command("remove")
@click.argument("name")
@output_option
@click.pass_obj
def remove_site(entrance: Entrance, name: str, output: str) -> None:
    """Remove a site that no connection belongs to."""
    who = caller()
    with_host(entrance, lambda host: host.places.remove_site(name, who))
    say(output, {"removed": name}, f"Removed site '{name}'.")


@tenants.command("add")
@click.argument("name")
@click.option("--master", is_flag=True, help="The one that may share its connections with the others.")
@output_option
@click.pass_obj
def put_tenant(entrance: Entrance, name: str, master: bool, output: str) -> None:  # noqa: FBT001 - click passes it by name
    """Add a tenant; the first must be the master tenant."""
    who = caller()
    tenant = with_host(entrance, lambda host: host.places.put_tenant(name, master=master, caller=who))
    words = f"{'Master tenant' if tenant.master else 'Tenant'} '{name}'."
    say(output, {"name": tenant.name, "master": tenant.master}, words)


@tenants.command("list")
@output_option
@click.pass_obj
def list_tenants(entrance: Entrance, output: str) -> None:
    """List tenants."""
    who = caller()
    places = with_host(entrance, lambda host: host.places.map(who))
    rows = [(one.name, "yes" if one.master else "") for one in places.tenants.values()]
    document = [{"name": one.name, "master": one.master} for one in places.tenants.values()]
    print_rows(output, ("Tenant", "Master"), rows, document)


@tenants.command("remove")
@click.argument("name")
@output_option
@click.pass_obj
def remove_tenant(entrance: Entrance, name: str, output: str) -> None:
    """Remove a tenant that nothing belongs to."""
    who = caller()
    with_host(entrance, lambda host: host.places.remove_tenant(name, who))
    say(output, {"removed": name}, f"Removed tenant '{name}'.")
