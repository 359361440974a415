"""Freed memory: does what a service gives back go back to the system?"""

import ctypes
import sys

_M_MMAP_THRESHOLD = -3
"""As in malloc.h of glibc (mallopt(3))."""
LARGE_BYTES = 256 * 1024
"""What is as large as this has pages of its own, which go back at once. glibc begins with half of
it and raises that, without being told, to the largest that was ever freed (32 MiB at most): from
then on what was needed once, for a file of thousands of tunnels, would be kept for ever."""


def give_back_large_blocks() -> None:
    """Have what is large go back to the system as soon as this process frees it.

    Where the C library is not glibc, which alone keeps it, nothing is to be done.
    """
    if sys.platform != "linux":
        return
    tune = getattr(ctypes.CDLL(None), "mallopt", None)
    if tune is not None:
        tune(_M_MMAP_THRESHOLD, LARGE_BYTES)
