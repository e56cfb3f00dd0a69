"""Plugins' manifests: read strictly, checked by rules, loaded into frozen values."""
