"""The rules that a manifest is held against, those that no schema can state."""
