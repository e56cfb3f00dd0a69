"""Health: when connections are tested by themselves, what their runs say, and the words in which people are told."""
