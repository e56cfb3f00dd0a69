"""Reads an exported file: YAML in which no key stands twice, so that nothing in it is lost without a word."""

from typing import Any

import yaml

from connector_host.model.errors import WrongUse


class _Loader(yaml.SafeLoader):
    """The safe loader, which of two values of one key would keep the second alone."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - the loader's own signature
        seen: dict[Any, int] = {}
        for node_of_key, _ in node.value:
            line = node_of_key.start_mark.line + 1
            if not isinstance(node_of_key, yaml.ScalarNode):
                words = "a key must be a text"
                raise yaml.constructor.ConstructorError(None, None, words, node_of_key.start_mark)
            key = self.construct_object(node_of_key)
            if key in seen:
                words = f"'{key}' stands twice, on line {seen[key]} and on line {line}"
                raise yaml.constructor.ConstructorError(None, None, words, node_of_key.start_mark)
            seen[key] = line
        return super().construct_mapping(node, deep)


def parse_exported(content: bytes | str, name: str) -> Any:
    """Return what a file of connections holds; raises WrongUse with its name and the line."""
    try:
        return yaml.load(content, Loader=_Loader)  # noqa: S506 - the safe loader
    except yaml.MarkedYAMLError as error:  # whose own words quote the line, and a secret in it
        line = f" (line {error.problem_mark.line + 1})" if error.problem_mark else ""
        raise WrongUse(f"{name} is no file of connections: {error.problem}{line}.") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise WrongUse(f"{name} is no file of connections: it is no text of YAML.") from None
    except RecursionError:
        raise WrongUse(f"{name} is no file of connections: it is nested beyond all use.") from None
