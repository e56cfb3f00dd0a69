"""The policy of a host: one invocation from top to bottom, and whom and what it serves."""
