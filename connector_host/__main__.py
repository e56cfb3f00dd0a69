"""The program: runs one command line on the host that the environment describes."""

import sys

from connector_host.model.errors import ExtraMissing
from connector_host.model.extras import require


def main() -> int:
    """Run one command line; its exit code."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # text streams, unless embedded
    try:
        require("cli", "click", "The command line")
    except ExtraMissing as error:
        sys.stderr.write(f"{error}\n")
        return 2
    for word in sys.argv[1:]:
        if not word.isascii() and any("\udc80" <= letter <= "\udcff" for letter in word):
            shown = word.encode("utf-8", "backslashreplace").decode()
            sys.stderr.write(f"Error: '{shown}' is not UTF-8: set the terminal, or LC_ALL, to a UTF-8 locale.\n")
            return 2
    from connector_host.cli.main import run  # noqa: PLC0415 - it imports click

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
