"""The boundary around other people's code: the one place that catches everything."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from connector_host.contract.errors import ConnectorHostError


@contextmanager
def authors_code(told: Callable[[BaseException], ConnectorHostError]) -> Iterator[None]:
    """Run an author's code; whatever it raises is raised as `told` says, save what is the host's own already.

    An attempt to end the program counts as a fault: a plugin does not decide over the host.
    """
    try:
        yield
    except ConnectorHostError:
        raise
    except (Exception, SystemExit) as error:
        raise told(error) from error
