"""`keys …`, `vault …`, `sites …` and `tenants …`: what an operator sets up beside connections."""

from pathlib import Path

import click

from connector_host.app import App
from connector_host.cli.running import confirm, exit_code, output_option, print_rows, say, with_session
from connector_host.cli.test_command import show
from connector_host.host.session import Session
from connector_host.model.connection import Selection, StoredConnection, VaultReference
from connector_host.model.errors import RotationIncomplete
from connector_host.stores.back_ups import KEY, restore, settle
from connector_host.stores.sqlite import path_of


@click.group("keys", help="Rotate the master key.")
def keys() -> None:
    """Hold the subcommands."""


@keys.command()
@output_option
@click.pass_obj
def rotate(app: App, output: str) -> int:
    """Make a new master key and put every connection under it.

    Others may use the host meanwhile. An interrupted rotation goes on where it stopped. The older key is kept until
    `keys retire`.
    """
    try:
        moved = with_session(app, lambda session: session.keys.rotate())
    except RotationIncomplete as error:
        say(output, {"rewrapped": error.rewrapped, "broken": error.broken}, str(error))
        return 3
    plural = "" if moved == 1 else "s"
    words = f"{moved} connection{plural} put under the new master key."
    say(output, {"rewrapped": moved}, f"{words}\nWhen no older program runs any more: connector-host keys retire")
    return 0


@keys.command()
@output_option
@click.pass_obj
def retire(app: App, output: str) -> None:
    """Forget the older master keys; refused while a connection still needs one."""
    with_session(app, lambda session: session.keys.retire())
    say(output, {"retired": True}, "The older master keys are gone.")


@click.group("vault", help="See password vaults, and test look-ups.")
def vault() -> None:
    """Hold the subcommands."""


@vault.command("list")
@output_option
@click.pass_obj
def list_vaults(app: App, output: str) -> None:
    """List the connections that values can be looked up through."""
    plugins = [
        one.id
        for one in app.plugins.plugins.values()
        if any(each.kind == "credential" for each in one.commands.values())
    ]

    async def work(session: Session) -> list[StoredConnection]:
        return [found for plugin in plugins for found in await session.connections.list(Selection(plugin=plugin))]

    found = with_session(app, work)
    rows = [(one.connection.name, one.connection.plugin, one.state.value) for one in found]
    document = [dict(zip(("name", "plugin", "state"), row, strict=True)) for row in rows]
    print_rows(output, ("Vault", "Plugin", "State"), rows, document)


@vault.command("test")
@click.argument("name", metavar="VAULT")
@click.option("--path", required=True, help="Where the secret stands in the vault.")
@click.option("--field", required=True, help="Which field of it.")
@output_option
@click.pass_obj
def test(app: App, name: str, path: str, field: str, output: str) -> int:
    """Look a value up as a connection in use would; it is shown masked."""
    result = with_session(app, lambda session: session.test_look_up(VaultReference(name, path, field)))
    show(result, f"Look up {path}#{field}", output)
    return exit_code(result)


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
def put_site(app: App, name: str, tenant: str | None, internal: bool, output: str) -> None:  # noqa: FBT001 - click passes it by name
    """Add a site, or change it."""
    site = with_session(app, lambda session: session.sites.put_site(name, tenant=tenant, internal=internal))
    kind = "internal" if site.internal else "client"
    words = f"{kind.capitalize()} site '{name}' of '{site.tenant}'."
    say(output, {"name": site.name, "tenant": site.tenant, "kind": kind}, words)


@sites.command("list")
@output_option
@click.pass_obj
def list_sites(app: App, output: str) -> None:
    """List sites."""
    places = with_session(app, lambda session: session.sites.map())
    rows = [(one.name, one.tenant, "internal" if one.internal else "client") for one in places.sites.values()]
    document = [dict(zip(("name", "tenant", "kind"), row, strict=True)) for row in rows]
    print_rows(output, ("Site", "Tenant", "Kind"), rows, document)


@sites.command("remove")
@click.argument("name")
@output_option
@click.pass_obj
def remove_site(app: App, name: str, output: str) -> None:
    """Remove a site that no connection belongs to."""
    with_session(app, lambda session: session.sites.remove_site(name))
    say(output, {"removed": name}, f"Removed site '{name}'.")


@tenants.command("add")
@click.argument("name")
@click.option("--master", is_flag=True, help="The one that may share its connections with the others.")
@output_option
@click.pass_obj
def put_tenant(app: App, name: str, master: bool, output: str) -> None:  # noqa: FBT001 - click passes it by name
    """Add a tenant; the first must be the master tenant."""
    tenant = with_session(app, lambda session: session.sites.put_tenant(name, master=master))
    words = f"{'Master tenant' if tenant.master else 'Tenant'} '{name}'."
    say(output, {"name": tenant.name, "master": tenant.master}, words)


@tenants.command("list")
@output_option
@click.pass_obj
def list_tenants(app: App, output: str) -> None:
    """List tenants."""
    places = with_session(app, lambda session: session.sites.map())
    rows = [(one.name, "yes" if one.master else "") for one in places.tenants.values()]
    document = [{"name": one.name, "master": one.master} for one in places.tenants.values()]
    print_rows(output, ("Tenant", "Master"), rows, document)


@tenants.command("remove")
@click.argument("name")
@output_option
@click.pass_obj
def remove_tenant(app: App, name: str, output: str) -> None:
    """Remove a tenant that nothing belongs to."""
    with_session(app, lambda session: session.sites.remove_tenant(name))
    say(output, {"removed": name}, f"Removed tenant '{name}'.")


@click.group("store", help="Check the database, and back it up.")
def store() -> None:
    """Hold the subcommands."""


@store.command("check")
@output_option
@click.pass_obj
def check_store(app: App, output: str) -> int:
    """Read the whole database, try to open every secret, and say what is damaged; exit code 1 where anything is."""
    found = with_session(app, lambda session: session.store.check())
    say(output, {"damaged": list(found)}, "\n".join(found) or "The database is whole, and every secret opens.")
    return 1 if found else 0


@store.command("backup")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--with-key", is_flag=True, help="Put the master key beside it: whoever has both has every secret.")
@output_option
@click.pass_obj
def back_up_store(app: App, folder: Path, with_key: bool, output: str) -> None:  # noqa: FBT001 - click passes it by name
    """Write a back-up into a new FOLDER, while others use the database, and read it over.

    The master key is no part of it unless you say so: keep it apart.
    """
    with_session(app, lambda session: session.store.back_up_folder(folder, with_key=with_key))
    key = "The master key stands beside it." if with_key else "The master key is no part of it: keep it apart."
    say(output, {"folder": str(folder), "with_key": with_key}, f"Backed up to {folder}, and read over. {key}")


@store.command("restore")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option("--yes", is_flag=True, help="Do not ask.")
@output_option
@click.pass_obj
def restore_store(app: App, folder: Path | None, yes: bool, output: str) -> None:  # noqa: FBT001 - the same
    """Put a back-up back: the FOLDER that `store backup` made, or a database file. No program may use the database.

    What stood there is kept beside it. Without FOLDER the database is taken as it stands, where an older copy was put
    in its place or a power cut took the end of the audit.
    """
    database = path_of(app.surroundings.database, app.home)
    if folder is None:
        confirm(f"Go on with {database} as it stands?", yes=yes)
        settle(database)
        done = [f"{database} is used as it stands."]
    else:
        confirm(f"Put {folder} in the place of {database}?", yes=yes or not database.exists())
        kind, _, place = app.surroundings.key.partition(":")
        key = (Path(place) if place else app.home / KEY) if kind == "file" else None
        done = restore(database, key, folder)
    with_session(app, lambda session: session.store.restored(str(folder or "as it stands")))
    say(output, {"restored": str(database), "from": folder and str(folder), "done": done}, "\n".join(done))
