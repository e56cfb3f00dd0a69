"""What an author's code gives, as JSON has it: the same whether it runs in the host or in a process of its own."""

import json
from dataclasses import replace
from typing import Any

from connector_host.contract.authoring import Item, Page
from connector_host.contract.errors import CommandBug, InvocationError


def plain_item(given: Any) -> Item | Page:
    """Return what an author gave as an item, or as a page; raises CommandBug for what JSON has no word for.

    A page that came whole from the server, and is vouched for, is taken as it is.
    """
    if isinstance(given, Page):
        return _page(given)
    item = given if isinstance(given, Item) else Item(None, given)
    if isinstance(item.value, InvocationError):
        return item
    return replace(item, value=_page(item.value) if isinstance(item.value, Page) else _plain(item.value))


def _page(page: Page) -> Page:
    return page if page.clean else replace(page, records=_plain(page.records))


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | int):
        return value
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise CommandBug(
            "The command's own code gave what is not JSON.",
            detail=f"{error}.",
            assistance="Report it to the plugin's author: text, numbers, lists and objects can be given.",
        ) from error
