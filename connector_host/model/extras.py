"""What the core does without, and who wants it installs as an extra."""

import importlib

from connector_host.model.errors import ExtraMissing


def require(extra: str, module: str, what: str) -> None:
    """Import a module of an extra's; raises ExtraMissing, which says how to install it, where it is not there."""
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != module.partition(".")[0]:
            raise
        raise ExtraMissing(f"{what} needs the extra: python -m pip install 'connector-host[{extra}]'") from error
