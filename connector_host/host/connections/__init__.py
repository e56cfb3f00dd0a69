"""ConnectionStore: read, drafted, changed, opened, pooled, carried from host to host."""
