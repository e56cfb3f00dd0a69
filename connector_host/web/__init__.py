"""The HTTP API and the page: they translate, and decide nothing."""
