"""Units: how many bytes has a megabyte here? Multiples of 1024, as the API counts."""

MB = 1024 * 1024
"""Bytes of a megabyte, wherever one is taken in, measured or shown."""
