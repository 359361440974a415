"""Query counts: how many things does a query find, as long as nothing has changed?

Who asks for page after page would have them counted for each; of a hundred thousand, that takes
longer than the page.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

MOST = 256


class QueryCounts:
    """Remembers counts until the next change. May be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[Hashable, tuple[int, int]] = OrderedDict()

    def total(self, query: Hashable, changes: int, count: Callable[[], int]) -> int:
        """How many there are.

        Args:
            query: what is asked for; equal ones find the same.
            changes: how many there had been before the state was read that `count` sees.
            count: counts them.
        """
        with self._lock:
            known = self._known.get(query)
        if known is not None and known[0] == changes:
            return known[1]
        total = count()
        with self._lock:
            self._known[query] = changes, total
            self._known.move_to_end(query)
            while len(self._known) > MOST:
                self._known.popitem(last=False)
        return total
