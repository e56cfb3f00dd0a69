"""Reads an exported file: YAML in which no key stands twice, so that nothing in it is lost without a word."""

from typing import Any

import yaml

from connector_host.model.errors import WrongUse


class _Loader(yaml.SafeLoader):
    """The safe loader, which of two values of one key would keep the second alone."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - the loader's own signature
        seen: dict[Any, int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if (key.tag, key.value) in seen:
                first = seen[key.tag, key.value]
                words = f"'{key.value}' stands twice, on line {first} and on line {line}"
                raise yaml.constructor.ConstructorError(None, None, words, key.start_mark)
            seen[key.tag, key.value] = line
        return super().construct_mapping(node, deep)


def parse_exported(content: bytes | str, name: str) -> Any:
    """Return what a file of connections holds; raises WrongUse with its name and the line."""
    try:
        return yaml.load(content, Loader=_Loader)  # noqa: S506 - the safe loader
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise WrongUse(f"{name} is no file of connections: {error}") from error
    except RecursionError:
        raise WrongUse(f"{name} is no file of connections: it is nested beyond all use.") from None
