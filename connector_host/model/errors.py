"""Every way to fail.

ConnectorHostError                 the root: catch this one at the rim
├── WrongUse                       the caller's mistake; the command line exits with 2
│   ├── UnknownPlugin
│   ├── BrokenPlugin
│   ├── UnknownCommand
│   ├── UnknownConnection
│   ├── ConnectionExists
│   ├── ConnectionChanged
│   ├── NotAllowed
│   ├── UnknownSite               a site or a tenant
│   ├── WrongProcess              a host was used after a fork
│   ├── WrongLoop                 a host was used from another thread or event loop
│   ├── InvocationExists          an invocation's id was given before
│   ├── KeyReused                 an idempotency key was given with other inputs
│   ├── ExtraMissing              a part that is installed as an extra is not there
│   └── BadSetting
├── CommandFailed                  a result that did not pass, for Result.raise_for_failure()
├── ManifestError                  the plugin author's mistake, with file and line
├── StoreError                     the database cannot be used
│   └── StoreTooNew
├── NoticeUndelivered              people could not be told
├── SealError                      a secret cannot be sealed or opened
│   ├── KeyMissing
│   ├── KeyExposed
│   ├── KeyUnknown
│   ├── SealBroken
│   ├── RotationIncomplete        some connections' keys do not open; all others are done
│   └── ChangedOutside            a stored row was changed by something else than the host
└── InvocationError                becomes a failure in a result
    ├── InvalidInput
    ├── ConnectionUnavailable
    ├── SecretUnavailable
    ├── NotRecordable
    ├── Cancelled
    ├── RequestRefused             the host would not send it
    │   └── RequestTooLarge
    ├── Unreachable                the request never arrived
    │   └── ProxyRefused
    ├── ConnectionLost
    ├── TimedOut
    │   └── DeadlinePassed
    ├── RateLimited
    ├── UnexpectedReply
    │   └── ReplyTooLarge
    ├── ApiError                   the product answered, and said no
    └── CommandBug                 the plugin author's code failed

An error's message is its class's docstring unless the place that raises it knows better.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from connector_host.model.failure import Problem


class ConnectorHostError(Exception):
    """The connector host could not do what was asked."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())

    def __reduce__(self) -> tuple[Any, ...]:
        return _as_it_was, (
            type(self),
            self.args,
            vars(self),
        )  # not made anew: most take other arguments than they keep


def _as_it_was(kind: type[Exception], args: tuple[Any, ...], state: Mapping[str, Any]) -> Exception:
    error = kind.__new__(kind, *args)
    vars(error).update(state)
    return error


class WrongUse(ConnectorHostError):
    """The request makes no sense to the host."""


class UnknownPlugin(WrongUse):
    """There is no plugin of that name."""


class BrokenPlugin(WrongUse):
    """The plugin cannot be used because its manifest or its code is wrong."""


class ExtraMissing(WrongUse):
    """What was asked for is installed as an extra, and is not there."""


class UnknownCommand(WrongUse):
    """The plugin has no command of that name."""


class UnknownConnection(WrongUse):
    """There is no connection of that name."""


class ConnectionExists(WrongUse):
    """A connection of that name exists already."""


class ConnectionChanged(WrongUse):
    """Somebody else changed the connection in the meantime; read it again and repeat the change."""


class NotAllowed(WrongUse):
    """The caller may use the connection, but not do this with it."""


class UnknownSite(WrongUse):
    """There is no site or tenant of that name."""


class WrongProcess(WrongUse):
    """The host was opened by another process. Open one of your own after the fork, with open_host()."""


class WrongLoop(WrongUse):
    """The host belongs to another thread or event loop. Open one for each, with open_host()."""


class InvocationExists(WrongUse):
    """There is an invocation of that id already. Give each new one an id of its own."""


class KeyReused(WrongUse):
    """The idempotency key was given before, with other inputs. Give each new request a key of its own."""


class BadSetting(WrongUse):
    """A setting of the host, or a parameter of a connection, is wrong."""


class ManifestError(ConnectorHostError):
    """The manifest is wrong."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class StoreError(ConnectorHostError):
    """The store cannot be used."""


class StoreTooNew(StoreError):
    """The store was written by a newer version of the program."""


class NoticeUndelivered(ConnectorHostError):
    """The notice could not be delivered."""


class SealError(ConnectorHostError):
    """A secret cannot be sealed or opened."""


class KeyMissing(SealError):
    """The master key is not there."""


class KeyExposed(SealError):
    """The master key file can be read by others."""


class KeyUnknown(SealError):
    """The master key that sealed this connection is not among the keys at hand."""


class SealBroken(SealError):
    """The sealed data does not open: it is damaged, or it was sealed for another place."""


class RotationIncomplete(SealError):
    """The keys of some connections do not open; `rewrapped` others are done, `broken` says why by name."""

    def __init__(self, rewrapped: int, broken: Mapping[str, str]) -> None:
        reasons = " ".join(f"'{name}': {why}" for name, why in sorted(broken.items()))
        super().__init__(
            f"{rewrapped} connections were put under the new master key, {len(broken)} could not be. {reasons} Give "
            f"these their secrets anew, or remove them, and run the rotation again."
        )
        self.rewrapped = rewrapped
        self.broken = dict(broken)


class ChangedOutside(SealError):
    """What is stored was changed by something else than the host."""
