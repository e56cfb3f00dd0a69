"""Sealing: ciphers, envelopes and providers of master keys."""
