"""What plugins are tested with: the conformance kit, its grades, and a stand-in server made of samples.

from connector_host.testing import plugin_suite

test_acme = plugin_suite(__file__)
"""

from typing import Any

__all__ = ["plugin_suite"]


def __getattr__(name: str) -> Any:
    """Bring pytest in when the suite is asked for: the kit itself runs without it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from connector_host.testing.suite import plugin_suite  # noqa: PLC0415 - see above

    return plugin_suite
