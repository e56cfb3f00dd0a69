"""The program: runs one command line on the host that the environment describes."""

import sys

from connector_host.cli.main import run


def main() -> int:
    """Run one command line; its exit code."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # text streams, unless embedded
    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
