"""Who tells people."""
