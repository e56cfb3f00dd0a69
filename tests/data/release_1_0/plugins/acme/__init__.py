"""Acme for Connector Host: all of it is in manifest.yaml; commands that need Python go into commands.py."""
