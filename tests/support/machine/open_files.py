"""Open files: how does a process come to have none left?"""

import contextlib
import os
import resource
from collections.abc import Iterator

import pytest


@contextlib.contextmanager
def no_file_left() -> Iterator[None]:
    """This process can open no file more, whatever it closes meanwhile."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1, limits[1]))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            os.dup(0)
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
