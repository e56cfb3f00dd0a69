"""What authors are served with: making, checking, documenting and comparing plugins."""
