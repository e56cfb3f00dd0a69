"""Intake: pages streamed into the store, each record mapped, and kept once."""
