"""Stores: the only room that knows SQL."""
