"""Connector Host: a small, embeddable host that runs connectors (plugins) for SOAR platforms."""
