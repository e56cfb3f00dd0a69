"""What can be replaced: a protocol for each part, and the hooks by which packages provide them."""
