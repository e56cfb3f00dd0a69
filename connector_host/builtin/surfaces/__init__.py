"""Surfaces: the faces of the host; they translate, and decide nothing."""
