"""What a run lets out beside its result: what is logged, and where its own code connects to."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from connector_host.app import LOGGERS

_LISTENERS: list[list[str]] = []


@contextmanager
def logs_heard() -> Iterator[list[str]]:
    """Hear all that the host logs, in place of whoever hears it otherwise."""
    heard: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: heard.append(logging.Formatter().format(record))  # type: ignore[method-assign]
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [(logger, logger.handlers, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.handlers, logger.propagate = [handler], False
    try:
        yield heard
    finally:
        for logger, handlers, propagate in before:
            logger.handlers, logger.propagate = handlers, propagate


@contextmanager
def connects_heard() -> Iterator[list[str]]:
    """List the addresses that this process connects to: with the kit's transport the host itself connects nowhere."""
    _hook()
    heard: list[str] = []
    _LISTENERS.append(heard)
    try:
        yield heard
    finally:
        _LISTENERS.remove(heard)


@cache
def _hook() -> None:
    """Listen, once and for good: an audit hook can not be taken out again."""
    sys.addaudithook(_hear)


def _hear(event: str, args: tuple[object, ...]) -> None:
    if event == "socket.connect":
        for heard in _LISTENERS:
            heard.append(str(args[1]))
