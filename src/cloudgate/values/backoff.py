"""Backoff: how long is waited before something that fails is tried again? Pure."""

from datetime import timedelta
from typing import TypeVar

Pause = TypeVar("Pause", float, timedelta)


def doubled(first: Pause, longest: Pause, failures: int) -> Pause:
    """The pause after so many failures in a row: `first` after one, each time twice as long.

    It is never above `longest`, however many there were.
    """
    pause = first
    while failures > 1 and pause < longest:
        pause, failures = pause * 2, failures - 1
    return min(pause, longest)
