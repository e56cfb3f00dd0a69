"""Keeps secrets out of an embedding program's logs: `connector_host.logs.install()`, once its handlers are there."""

import logging

from connector_host.host.redaction import HandlerFilter

_FILTER = HandlerFilter()


def install(*handlers: logging.Handler) -> None:
    """Put the filter onto handlers, or onto all of the root logger; what any logger writes through them is masked.

    The secrets are those of the connections in use, of every open host. Call it again for handlers that come later.
    """
    for handler in handlers or logging.getLogger().handlers:
        if _FILTER not in handler.filters:
            handler.addFilter(_FILTER)
