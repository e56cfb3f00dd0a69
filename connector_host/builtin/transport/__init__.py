"""Transports: the wire between the host and a product."""
