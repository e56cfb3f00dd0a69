"""Ciphers and key providers."""
