"""What an invocation did to the product: nothing, something, or nobody can say; kept while its requests are sent."""

from contextvars import ContextVar
from enum import StrEnum


class Effect(StrEnum):
    """Whether something happened at the product."""

    NONE = "none"
    DONE = "done"
    UNKNOWN = "unknown"


SAFE = frozenset({"GET", "HEAD", "OPTIONS"})  # methods that ask for no change (RFC 9110, 9.2.1)
_REFUSED, _FAILED = 400, 500


class Effects:
    """The requests of one invocation, or of one item of a fan-out, that may change something, and what became of each.

    A request that is sent again counts once, by its last answer: one that was lost, and then repeated, is known.
    """

    def __init__(self, above: "Effects | None" = None) -> None:
        self._above = above
        self._over = False
        self._requests: dict[int, tuple[object, Effect]] = {}  # by id; each is kept, so that no id comes twice

    def sending(self, request: object) -> Effect:
        """Note that a request is on its way, so that it may have happened; return what was known of it before."""
        _, before = self._requests.get(id(request), (None, Effect.NONE))
        self.note(request, Effect.UNKNOWN)
        return before

    def never_sent(self, request: object, before: Effect) -> None:
        """Note that this try surely never arrived; what an earlier one did stays as it was."""
        self.note(request, before)

    def answered(self, request: object, status: int, before: Effect) -> None:
        """Note an answer: a refusal did nothing by itself, a server's fault may have come too late to tell."""
        if status < _REFUSED:
            self.note(request, Effect.DONE)
        elif status < _FAILED:
            self.note(request, before)

    def end(self) -> None:
        """Note that the invocation is over; an author's thread may not know it yet."""
        self._over = True

    @property
    def over(self) -> bool:
        """Whether the invocation is over, so that nothing may be sent any more."""
        return self._over or (self._above is not None and self._above.over)

    @property
    def verdict(self) -> Effect:
        """Return what is known of all of them together."""
        found = {effect for _, effect in self._requests.values()}
        return next((one for one in (Effect.UNKNOWN, Effect.DONE) if one in found), Effect.NONE)

    def settle(self, effect: Effect) -> None:
        """Note what was found at the product of the requests whose answers were lost."""
        for request, known in list(self._requests.values()):
            if known is Effect.UNKNOWN:
                self.note(request, effect)

    def refused(self) -> None:
        """Note that what seemed to be done was not: the good answer is a refusal."""
        for request, known in list(self._requests.values()):
            if known is Effect.DONE:
                self.note(request, Effect.NONE)

    def note(self, request: object, effect: Effect) -> None:
        """Keep what is known of a request, here and above."""
        self._requests[id(request)] = request, effect
        if self._above is not None:
            self._above.note(request, effect)


EFFECTS: ContextVar[Effects | None] = ContextVar("what the invocation under way did", default=None)
