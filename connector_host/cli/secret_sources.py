"""Where the command line takes a secret from: never from an argument, which others can read."""

import os
import sys
from collections.abc import Mapping
from io import BufferedReader
from pathlib import Path
from typing import Any

import click

from connector_host.model.errors import WrongUse


def secret_from(name: str, source: str, schema: Mapping[str, Any]) -> str:
    """Return a secret from where `source` says; never from the command line itself, which others can read.

    Of standard input a secret takes a line, and one of several lines all that is left.
    """
    kind, _, place = source.partition(":")
    if source == "-":
        if sys.stdin.isatty():
            return str(click.prompt(name, hide_input=True, err=True))
        return _text_of_input(name, whole=bool(schema.get("multiline")))
    if kind == "env":
        if place not in os.environ:
            raise WrongUse(f"The environment variable {place} (for the secret {name}) is not set.")
        return os.environ[place]
    if kind == "file":
        try:
            return Path(place).read_bytes().decode()
        except (OSError, UnicodeDecodeError) as error:
            raise WrongUse(
                f"The file {place} (for the secret {name}) cannot be read ({type(error).__name__})."
            ) from error
    raise WrongUse(
        f"Give the secret {name} as env:VARIABLE, file:PATH or - (standard input), so that nobody reads it off the "
        f"process list."
    )


def refuse_left_over() -> None:
    """Raise WrongUse where lines are left on standard input that nobody reads, as of a key pasted in several."""
    if not sys.stdin.isatty() and _at_hand().strip():
        raise WrongUse(
            "Standard input holds more lines than secrets that are read from it; nothing was done. Each '-' takes one "
            "line; give a secret of several lines as file:PATH."
        )


def _at_hand() -> bytes:
    """Return what can be read of standard input without waiting for whoever writes it."""
    stream = sys.stdin.buffer
    if not isinstance(stream, BufferedReader):
        return stream.read()  # in memory
    os.set_blocking(stream.fileno(), False)
    try:
        return stream.peek()
    finally:
        os.set_blocking(stream.fileno(), True)


def _text_of_input(name: str, *, whole: bool) -> str:
    read = sys.stdin.buffer.read() if whole else sys.stdin.buffer.readline()
    if not read:
        raise WrongUse(f"Standard input ends before the secret {name}: nothing was done.")
    read = read if whole else read.rstrip(b"\r\n")
    try:
        return read.decode()
    except UnicodeDecodeError:
        raise WrongUse(f"What standard input holds for the secret {name} is no UTF-8 text.") from None
