"""Signing in: what does somebody show besides a password, or in place of one? Extensions."""
