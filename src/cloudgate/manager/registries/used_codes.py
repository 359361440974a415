"""Used codes: which one-time codes were used while nothing could be written down?"""

import threading
from uuid import UUID


class UsedCodes:
    """Codes of second factors that were used while nothing could be written: each is good once.

    May be used from any thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: dict[UUID, int] = {}

    def was_used(self, account_id: UUID, step: int) -> bool:
        """Whether the code of that step, or of a later one, was used."""
        with self._lock:
            return self._last.get(account_id, -1) >= step

    def use(self, account_id: UUID, step: int) -> bool:
        """Use the code of a step. False when that one, or a later one, was used before."""
        with self._lock:
            if self._last.get(account_id, -1) >= step:
                return False
            self._last[account_id] = step
            return True
