"""Writes cli.md: every command of the command line with its options."""

from collections.abc import Iterator
from pathlib import Path

import click

from connector_host.cli.main import program

PAGE = Path(__file__).with_name("cli.md")
_HEAD = """# The command line

Made of the program itself by `python docs/reference/make_cli.py`; `--help` behind any command says the same.

- `--output json` prints one document on standard output and nothing else (on wrong use that of
  `schemas/error.schema.json`); people's text goes to standard error.
- Exit codes: 0 Passed (or done), 1 Failed, 2 wrong use, 3 Partially Successful. Of checks (`plugins validate`,
  `plugins test`, `plugins format --check`, `plugins docs --check`, `audit verify`): 0 nothing wrong, 1 something.
  `health run-due` ends with 0 whatever it finds: what failed stands in what it prints.
- `connector-host --as user=…,group=…,site=…,tenant=… COMMAND` acts for a caller instead of the operator.
- A value is read by its parameter's schema: lists and objects as JSON (`--user-ids '["P1"]'`; one text is a list
  of one), everything else as text.
"""
_BY_PLUGIN = {  # made of the plugins that are there
    "test-command": "connector-host test-command PLUGIN COMMAND --connection NAME [--PARAMETER VALUE …]",
    "sandbox": "connector-host sandbox PLUGIN",
}


def page() -> str:
    """Return the page."""
    with click.Context(program, info_name="connector-host") as ctx:
        return "\n".join([_HEAD, *(line for name in program.list_commands(ctx) for line in _section(ctx, name))])


def _section(ctx: click.Context, name: str) -> Iterator[str]:
    command = program.get_command(ctx, name)
    yield f"## {name}\n"
    if name in _BY_PLUGIN:
        yield f"{_sentence(command)}\n\n`{_BY_PLUGIN[name]}`\n"
        yield from _options(_least(command, click.Context(command, info_name=name, parent=ctx)))
    elif isinstance(command, click.Group):
        yield f"{_sentence(command)}\n"
        for sub in command.commands.values():
            yield from _command(sub, f"{name} {sub.name}")
    else:
        yield from _command(command, name)


def _least(command: click.Command, ctx: click.Context) -> list[click.Parameter]:
    """Return the options that every command of every plugin has."""
    if not isinstance(command, click.Group):
        return command.params
    found = [
        _least(command.get_command(ctx, name), click.Context(command, parent=ctx))
        for name in command.list_commands(ctx)
    ]
    names = set.intersection(*({one.name for one in params} for params in found))
    return [one for one in found[0] if one.name in names]


def _command(command: click.Command, name: str) -> Iterator[str]:
    arguments = "".join(
        f" {one.human_readable_name.upper()}" for one in command.params if isinstance(one, click.Argument)
    )
    yield f"### `connector-host {name}{arguments}`\n\n{_sentence(command)}\n"
    yield from _options(command.params)


def _sentence(command: click.Command) -> str:
    return " ".join((command.help or "").replace("\b", "").split())


def _options(params: list[click.Parameter]) -> Iterator[str]:
    options = [one for one in params if isinstance(one, click.Option) and not one.hidden]
    if options:
        yield "| option | meaning |\n|---|---|"
        yield from (_row(one) for one in options)
        yield ""


def _row(option: click.Option) -> str:
    names = ", ".join([*option.opts, *option.secondary_opts])
    metavar = "" if option.is_flag else f" {option.make_metavar(click.Context(program))}"
    default = f" Default: {option.default}." if isinstance(option.default, int | str) and not option.is_flag else ""
    cells = (f"`{names}{metavar}`", f"{option.help or ''}{default}".strip())
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
