"""How does Windows run the host service? As a service that keeps a host service running.

The service starts `cloudgate host run` as a program of its own and tells it to end by closing its
input. It has not been run on Windows yet; what does not depend on Windows is `Keeper`.
"""

import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from cloudgate.gateway.system.windows import SERVICE

PAUSE_SECONDS = 1.0
"""How long after its end the program is started again."""
END_SECONDS = 30.0
"""How long it has to end in order."""


def host_command(python: str, data: Path) -> list[str]:
    """The command of the host service of `data`."""
    run = ("-m", "cloudgate", "host", "run", "--until-input-ends")
    return [python, *run, "--data", str(data)]


class Keeper:
    """Has a program run until it is told to stop, however often that ends by itself."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._stopping = threading.Event()
        self._running: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def run(self) -> None:
        """Keep it running; returns after `stop`, when it has ended."""
        while not self._stopping.is_set():
            with self._lock:
                if self._stopping.is_set():
                    return
                running = subprocess.Popen(self._command, stdin=subprocess.PIPE)
                self._running = running
            with running:
                running.wait()
            self._stopping.wait(PAUSE_SECONDS)

    def stop(self) -> None:
        """Have it end: in order, or at once where that takes too long."""
        with self._lock:
            self._stopping.set()
            running = self._running
        if running is None:
            return
        try:
            running.communicate(timeout=END_SECONDS)
        except subprocess.TimeoutExpired:
            running.kill()


if sys.platform == "win32":
    import servicemanager
    import win32service
    import win32serviceutil

    class HostService(win32serviceutil.ServiceFramework):
        """What Windows' service manager speaks with (pywin32)."""

        _svc_name_ = SERVICE
        _svc_display_name_ = "Cloudgate host service"

        def __init__(self, words: list[str]) -> None:
            super().__init__(words)
            self._keeper = Keeper(host_command(sys.executable, Path(sys.argv[1])))

        def SvcDoRun(self) -> None:  # noqa: N802  its name there
            """Run until stopped."""
            self._keeper.run()

        def SvcStop(self) -> None:  # noqa: N802
            """Stop."""
            self.ReportServiceStatus(
                win32service.SERVICE_STOP_PENDING, waitHint=int(2000 * END_SECONDS)
            )
            self._keeper.stop()

    if __name__ == "__main__":
        servicemanager.Initialize()
        servicemanager.PrepareToHostSingle(HostService)
        servicemanager.StartServiceCtrlDispatcher()  # type: ignore[no-untyped-call]
