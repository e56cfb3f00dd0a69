"""Runners: how a command is carried out, as a declared request or as a function."""
