"""Processes: how are they ended at once, and known to be gone?"""

import os
import select
import signal
from collections.abc import Iterable
from contextlib import ExitStack

from tests.support.waiting import PATIENCE_SECONDS


def kill(pids: Iterable[int]) -> None:
    """End processes without a chance to tidy up. What they held is free when this returns.

    To send the signal is not enough: on a busy machine they end some time after it.
    """
    with ExitStack() as opened:
        for pid in pids:
            try:
                process = os.pidfd_open(pid)
            except ProcessLookupError:
                continue
            opened.callback(os.close, process)
            signal.pidfd_send_signal(process, signal.SIGKILL)
            ended = select.poll()
            ended.register(process, select.POLLIN)
            assert ended.poll(PATIENCE_SECONDS * 1000), f"process {pid} does not end"
