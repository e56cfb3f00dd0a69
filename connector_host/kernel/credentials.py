"""What a credential command hands out: masked in its result, in the clear for the look-up that asked."""

from collections.abc import Callable, Mapping
from typing import Any

from connector_host.contract.authoring import Item, Page
from connector_host.contract.errors import UnexpectedReply
from connector_host.kernel.redaction import leaves
from connector_host.kernel.result import Collector
from connector_host.kernel.secrets import mask
from connector_host.kernel.vault import Credential

Reveal = Callable[[Credential], None]


class CredentialCollector(Collector):
    """The outcome of a credential command: an object whose `value` is the secret, `lease_seconds` how long it holds."""

    reveal: Reveal | None = None

    def add(self, item: Item | Page) -> None:
        """Take the credential; whoever reads the result sees a mask."""
        if isinstance(item, Item) and not isinstance(item.value, Exception):
            item = Item(item.key, self._masked(item.value))
        super().add(item)

    def _masked(self, document: Any) -> Any:
        if not isinstance(document, Mapping) or document.get("value") is None:
            return UnexpectedReply(
                "The vault plugin gave no value.", detail="Its item must be an object with a `value`."
            )
        value, lease = document["value"], document.get("lease_seconds")
        for text in leaves(value):
            self.redactor.learn(text)
        if self.reveal is not None:
            self.reveal(Credential(value, lease if isinstance(lease, int | float) and lease > 0 else None))
        return {**document, "value": mask(value)}
