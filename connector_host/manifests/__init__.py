"""From a plugin's YAML to its model: a strict reader, checks with their place, and the registry."""
