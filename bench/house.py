"""`python -m bench house`: counts the house, and says how far its targets are kept."""

import ast
import statistics
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from bench import ROOT

PACKAGE = ROOT / "connector_host"
FACES = ("connector_host", "connector_host.testing")
TARGETS = {
    "files": 130, "lines of code": 12_500, "protocols": 18, "functions over 30 lines": 0, "files over 250 lines": 0,
    "import depth": 15, "import depth of app": 12, "files in circles": 0, "imports per file": 5,
    "relative imports": 0, "imports in rooms' __init__": 0,
}  # fmt: skip

HELD = {
    **TARGETS,
    "files": 303,  # the HTTP API and the page came, and the face they stand on
    "lines of code": 26_500,
    "protocols": 28,
    "imports per file": 5.32,  # surfaces, which bring rooms together, have more
    "import depth": 34,
    "import depth of app": 24,
}


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def docstring(node: Any) -> ast.Expr | None:
    first = node.body[0] if node.body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        return first
    return None


def body_lines(node: Any) -> int:
    """Lines of a function, its docstring's left out."""
    doc = docstring(node)
    return int(node.end_lineno - node.lineno + 1 - (doc.end_lineno - doc.lineno + 1 if doc else 0))  # type: ignore[operator]


def code_lines(text: str, tree: ast.AST) -> int:
    """Lines that hold code: no docstring, no comment, no blank line."""
    docs: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            doc = docstring(node)
            if doc is not None:
                docs.update(range(doc.lineno, (doc.end_lineno or 0) + 1))
    lines = enumerate(text.splitlines(), 1)
    return sum(1 for number, line in lines if line.strip() and not line.strip().startswith("#") and number not in docs)


def imports_of(path: Path) -> Iterator[str]:
    """Every import, under TYPE_CHECKING and inside functions too, as absolute names."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def arrows() -> dict[str, set[str]]:
    """Which module imports which; a room counts only where the room itself is meant."""
    found: dict[str, set[str]] = {}
    for name, path in MODULES.items():
        goals = {one for one in imports_of(path) if one in MODULES and one != name}
        rooms = {one for one in goals if MODULES[one].name == "__init__.py"}
        found[name] = goals - {one for one in rooms if any(other.startswith(f"{one}.") for other in goals)}
    return found


def depths() -> tuple[dict[str, int], set[str]]:
    """How deep each module's imports go, and which modules stand in a circle."""
    depth: dict[str, int] = {}
    way: list[str] = []
    circles: set[str] = set()

    def deep(name: str) -> int:
        if name in way:
            circles.update(way[way.index(name) :])
            return 0
        if name not in depth:
            way.append(name)
            depth[name] = 1 + max((deep(goal) for goal in arrows()[name]), default=0)
            way.pop()
        return depth[name]

    for name in arrows():
        deep(name)
    return depth, circles


@cache
def count() -> dict[str, Any]:
    """Count everything."""
    spans: list[tuple[int, str]] = []
    found = {"lines": 0, "lines of code": 0, "protocols": 0, "structs": 0, "own-line comments": 0}
    found |= {"relative imports": 0, "imports in rooms' __init__": 0}
    sizes: list[tuple[int, str]] = []
    for name, path in MODULES.items():
        text = path.read_text("utf-8")
        tree = ast.parse(text)
        sizes.append((text.count("\n"), name))
        found["lines"] += text.count("\n")
        found["lines of code"] += code_lines(text, tree)
        found["own-line comments"] += sum(line.strip().startswith("#") for line in text.splitlines())
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                spans.append((body_lines(node), f"{name}:{node.name}"))
            elif isinstance(node, ast.ClassDef):
                names = {ast.unparse(base).split("[")[0] for base in node.bases} - {"asyncio.Protocol"}
                bases = {name.split(".")[-1] for name in names}
                found["protocols"] += bool(bases & {"Protocol", "ABC"})
                found["structs"] += bool(bases & {"Struct", "Guarded"})
            elif isinstance(node, ast.Import | ast.ImportFrom):
                found["relative imports"] += bool(getattr(node, "level", 0))
                found["imports in rooms' __init__"] += path.name == "__init__.py" and name not in FACES
    depth, circles = depths()
    lengths = [length for length, _ in spans]
    return {
        "files": len(MODULES),
        **found,
        "files over 250 lines": sum(size > 250 for size, _ in sizes),
        "biggest files": sorted(sizes, reverse=True)[:4],
        "functions": len(lengths),
        "median function": statistics.median(lengths),
        "90th percentile": sorted(lengths)[int(len(lengths) * 0.9)],
        "functions over 30 lines": sum(length > 30 for length in lengths),
        "longest functions": sorted(spans, reverse=True)[:4],
        "imports per file": round(sum(map(len, arrows().values())) / len(MODULES), 2),
        "import depth": max(depth.values()),
        "import depth of app": depth["connector_host.app"],
        "files in circles": len(circles),
        "circles": sorted(circles)[:6],
    }


def report() -> None:
    """Print what was counted, with its target."""
    for key, value in count().items():
        target = f"   (target {TARGETS[key]})" if key in TARGETS else ""
        print(f"{key:28} {value}{target}")


def entered() -> tuple[set[str], set[str]]:
    """Which named functions of ours, in which files, a warm create_event enters; the rooms http and stores left out."""
    import asyncio
    import sys
    import tempfile

    from bench.invocations import INPUTS, add, app

    functions: set[str] = set()
    files: set[str] = set()

    def look(frame: Any, event: str, _what: Any) -> None:
        path = frame.f_code.co_filename
        if event == "call" and path.startswith(str(PACKAGE)) and not frame.f_code.co_name.startswith("<"):
            room = Path(path).relative_to(PACKAGE).parts[0]
            if room not in {"http", "stores"}:
                functions.add(f"{path}:{frame.f_code.co_qualname}")
                files.add(path)

    async def go() -> None:
        with tempfile.TemporaryDirectory() as made:
            async with app(Path(made), "nothing").open() as host:
                session = host.as_operator()
                await add(session, "http://127.0.0.1:1")
                for turn in range(3):
                    if turn == 2:
                        sys.setprofile(look)
                    await session.run("pagerduty", "create_event", "bench", INPUTS)
                sys.setprofile(None)

    asyncio.run(go())
    return functions, files


def report_entered() -> None:
    """Print how many functions and files a warm create_event goes through."""
    functions, files = entered()
    print(f"{'entered by create_event':28} {len(functions)} functions in {len(files)} files   (target 60 in 20)")


if __name__ == "__main__":
    report()
    report_entered()
