"""Units: how many bytes has a megabyte here, and how fast is a limit? As the API counts."""

MB = 1024 * 1024
"""Bytes of a megabyte, wherever one is taken in, measured or shown."""
MB_PER_GB = 1024
BYTES_PER_SECOND = {"Mbps": 125_000, "KBps": 1024, "MBps": MB}
"""By the units of ThrottlingSpeedUnit; megabits are decimal, as on every line that is sold."""
