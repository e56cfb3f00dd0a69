"""What the documents claim and how each claim is tried: `python -m tests.docs.claims` lists them.

A claim is a line that a page shows beneath its commands, an exit code or a command that must go well, and each row or
entry of a reference that is made of the product itself and compared.
"""

import re
from collections.abc import Iterator

from msgspec import Struct

from connector_host.configuration import bundled
from tests.docs.pages import blocks_of

DOCS = bundled() / "docs"
MADE = {  # references that are made of the product, and what makes an entry of them
    "reference/api.md": r"^- `", "reference/cli.md": r"^\| `", "reference/manifest.md": r"^\| `",
    "reference/result.md": r"^\| `", "reference/rights.md": r"^\| ", "reference/http-api.md": r"^### ",
}  # fmt: skip


class Claim(Struct, frozen=True):
    """One claim: the page it stands on, its words, and how it is tried."""

    page: str
    words: str
    tried: str


def claims() -> Iterator[Claim]:
    """Return every claim that a test tries."""
    for page in [
        DOCS.parent / "README.md",
        *sorted([*(DOCS / "tutorial").glob("*.md"), *(DOCS / "howto").glob("*.md")]),
    ]:
        name = str(page.relative_to(DOCS.parent))
        for block in blocks_of(page):
            if block.kind == "text":
                yield from (Claim(name, line, "printed by the block before it") for line in block.text.splitlines())
            elif block.kind == "sh":
                ends = f"ends with {block.exit_code}" if block.exit_code else "goes well"
                yield from (Claim(name, line, f"run; {ends}") for line in _commands(block.text))
    for made, entry in MADE.items():
        for line in (DOCS / made).read_text("utf-8").splitlines():
            if re.match(entry, line):
                yield Claim(f"docs/{made}", line[:100], "made of the product, and compared")


def _commands(text: str) -> Iterator[str]:
    """Return the commands of a block that are ours."""
    for line in text.replace("\\\n", " ").splitlines():
        if "connector-host" in line:
            yield " ".join(line.split())


if __name__ == "__main__":
    for number, claim in enumerate(claims(), 1):
        print(f"{number}. {claim.page}: {claim.words}  [{claim.tried}]")
