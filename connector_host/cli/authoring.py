"""`plugins new`, `validate`, `test`, `docs`, `diff` and `schema`: what authors do."""

import json
from pathlib import Path

import click
from msgspec import to_builtins

from connector_host.app import App
from connector_host.authoring.checking import validate as validated
from connector_host.authoring.comparing import compare
from connector_host.authoring.formatting import files_of, formatted
from connector_host.authoring.page import page_of
from connector_host.authoring.scaffold import scaffold
from connector_host.cli.log_output import show_faults
from connector_host.cli.problems import FORMATS, show_problems
from connector_host.cli.running import counted
from connector_host.manifests.overlays import localised
from connector_host.manifests.structuring import load_manifest
from connector_host.model.errors import WrongUse
from connector_host.model.invocation import plugin_id
from connector_host.model.manifest import MANIFEST

GRADES = ("bronze", "silver", "gold", "platinum")
FOLDER = click.Path(path_type=Path)


def folder_of(app: App, plugin: str) -> Path:
    """Return the folder of a plugin, given by its id, its folder or its manifest."""
    path = Path(plugin)
    if path.name == MANIFEST:
        return path.parent
    if (path / MANIFEST).exists() or "/" in plugin:
        return path
    return app.plugins.folder(plugin)


@click.command()
@click.argument("plugin")
@click.option("--output", type=click.Choice(FORMATS), default="text", show_default=True, help="How to tell.")
@click.option("--fix", is_flag=True, help="Mend what a machine can mend.")
@click.pass_obj
def validate(app: App, plugin: str, output: str, fix: bool) -> int:  # noqa: FBT001 - click passes it by name
    """Check a plugin's folder, or its manifest, without running its code."""
    findings = validated(folder_of(app, plugin), app.plugins.schemas, fix=fix)
    misfits = [] if findings.manifest is None else app.plugins.misfits(findings.manifest)
    problems = [*findings.problems, *misfits]
    show_problems(problems, output)
    if output == "text":
        count = len(problems)
        if findings.mended:
            click.echo(f"{findings.mended} mended.", err=True)
        if count:
            click.echo(f"{counted(count, 'problem')} found.", err=True)
        elif findings.manifest is not None:
            one = findings.manifest
            click.echo(f"{one.name} {one.version}: {counted(len(one.commands), 'command')}, no problems.")
    return 1 if problems else 0


@click.command("format")
@click.argument("plugin")
@click.option("--check", is_flag=True, help="Write nothing; exit 1 where something would be written.")
@click.pass_obj
def format_files(app: App, plugin: str, check: bool) -> int:  # noqa: FBT001 - click passes it by name
    """Write a plugin's YAML in the one form: lines of at most 120 columns, comments kept."""
    changed = 0
    for file in files_of(folder_of(app, plugin)):
        text = file.read_text("utf-8")
        if (form := formatted(text)) != text:
            changed += 1
            click.echo(str(file))
            if not check:
                file.write_text(form, "utf-8")
    click.echo(f"{counted(changed, 'file')} {'to write' if check else 'written'}.", err=True)
    return 1 if check and changed else 0


@click.command()
@click.argument("plugin")
@click.option("--folder", type=FOLDER, default=None, help="Where to put it; by default a folder of its name, here.")
@click.option("--no-link", is_flag=True, help="Do not make it known to this data folder.")
@click.option("--from-openapi", "openapi", metavar="FILE#op1,op2", help="Make the commands of an OpenAPI 3 document.")
@click.pass_obj
def new(app: App, plugin: str, folder: Path | None, openapi: str | None, no_link: bool) -> None:  # noqa: FBT001 - click passes it by name
    """Write a new plugin: manifest, tests and packaging, ready to run."""
    name = plugin_id(plugin)
    if not no_link and name in app.plugins.plugins:
        raise WrongUse(f"There is a plugin '{name}' already. Choose another id, or give --no-link.")
    folder = folder or Path(plugin)
    for file in scaffold(plugin, folder, openapi):
        click.echo(str(file))
    if not no_link:
        app.plugins.link(folder)
    click.echo(f"Next: connector-host plugins test {folder}", err=True)


@click.command()
@click.argument("folder", type=FOLDER)
@click.pass_obj
def link(app: App, folder: Path) -> int:
    """Make the plugin in a folder known to this data folder, without installing it."""
    findings = validated(folder_of(app, str(folder)), app.plugins.schemas)
    if findings.manifest is None:
        show_problems(findings.problems, "text")
        return 1
    known = app.plugins.plugins.get(findings.manifest.id)
    if known is not None and known.root.resolve() != findings.manifest.root.resolve():
        raise WrongUse(f"There is a plugin '{known.id}' already, in {known.root}. Give this one another id.")
    app.plugins.link(findings.manifest.root)
    click.echo(f"{findings.manifest.id} is linked from {folder}.", err=True)
    return 0


@click.command()
@click.argument("folder", type=FOLDER)
@click.pass_obj
def unlink(app: App, folder: Path) -> None:
    """Forget a linked folder; its files stay."""
    app.plugins.unlink(folder)
    click.echo(f"{folder} is not linked any more.", err=True)


@click.command()
@click.argument("plugin")
@click.option("--grade", type=click.Choice(GRADES), help="The grade that it must reach.")
@click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.option("--verbose", is_flag=True, help="Show the checks that passed, too.")
@click.pass_obj
def test(app: App, plugin: str, grade: str | None, output: str, verbose: bool) -> int:  # noqa: FBT001 - click passes it by name
    """Run the conformance kit over a plugin, and compute its grade."""
    from connector_host.authoring.kit.kit import run_kit  # noqa: PLC0415 - the kit opens a host of its own
    from connector_host.cli.problems import reaches, show_report  # noqa: PLC0415 - rich is for people only

    show_faults()
    report = run_kit(folder_of(app, plugin))
    if output == "json":
        click.echo(json.dumps(to_builtins(report), ensure_ascii=False))
    else:
        show_report(report, verbose=verbose)
    failed = any(check.outcome == "failed" for check in report.checks)
    return 0 if (reaches(report.grade, grade) if grade else not failed) else 1


@click.command()
@click.argument("plugin")
@click.option("--check", is_flag=True, help="Only say whether the plugin's README.md is the page of today.")
@click.option("--language", metavar="xx", help="In the words of locales/xx.yaml.")
@click.option("--write", is_flag=True, help="Write the page to the plugin's README.md.")
@click.pass_obj
def docs(app: App, plugin: str, check: bool, language: str | None, write: bool) -> int:  # noqa: FBT001 - click passes it by name
    """Make a plugin's documentation page of its manifest."""
    folder = folder_of(app, plugin)
    manifest = load_manifest(folder, app.plugins.schemas)
    page, file = page_of(localised(manifest, language) if language else manifest), folder / "README.md"
    if check:
        if file.exists() and file.read_text("utf-8") == page:
            click.echo(f"{file} is up to date.", err=True)
            return 0
        click.echo(f"{file} is not the page of today. Write it: connector-host plugins docs {plugin} --write", err=True)
        return 1
    if write:
        file.write_text(page, "utf-8")
        click.echo(str(file), err=True)
    else:
        click.echo(page, nl=False)
    return 0


@click.command()
@click.argument("old")
@click.argument("new_plugin", metavar="NEW")
@click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_obj
def diff(app: App, old: str, new_plugin: str, output: str) -> int:
    """Compare two versions of a plugin, by folder or id: what callers will notice, and which version that asks for."""
    schemas = app.plugins.schemas
    found = compare(load_manifest(folder_of(app, old), schemas), load_manifest(folder_of(app, new_plugin), schemas))
    if output == "json":
        click.echo(json.dumps(to_builtins(found), ensure_ascii=False))
        return 0 if found.enough else 1
    for one in found.differences:
        click.echo(f"{one.release:<6} {one.at}: {one.what}")
    verdict = "as it should be" if found.enough else f"too little: this is a {found.release} release"
    size = "no" if found.release == "none" else found.release
    click.echo(f"{found.old} -> {found.new}: {size} changes; the version number is {verdict}.")
    return 0 if found.enough else 1


@click.command()
@click.option("--draft", type=click.Choice(["2020-12", "07"]), default="2020-12", show_default=True)
@click.option("--path", "only_path", is_flag=True, help="Print the file's path, for an editor's settings.")
@click.pass_obj
def schema(app: App, draft: str, only_path: bool) -> None:  # noqa: FBT001 - click passes it by name
    """Print the JSON Schema of manifests, for editors."""
    name = "plugin-manifest.draft-07.schema.json" if draft == "07" else "plugin-manifest.schema.json"
    file = app.plugins.schemas / name
    if not file.exists():
        raise WrongUse(f"There is no {file}.")
    click.echo(str(file) if only_path else file.read_text("utf-8"), nl=only_path)


COMMANDS = (new, validate, test, docs, diff, schema, link, unlink, format_files)
