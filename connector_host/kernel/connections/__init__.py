"""The room of connections: made, shown, changed, carried elsewhere, and opened with all their values when used."""
