"""Windows service: how does Windows keep a host service running?

The service starts `cloudgate host run` as a program of its own and tells it to end by closing its
input. It has not been run on Windows yet; what does not depend on Windows is `ProcessKeeper`.
"""

import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from cloudgate.host.platform.windows import SERVICE

PAUSE_SECONDS = 1.0
"""How long after its end the program is started again."""
END_SECONDS = 30.0
"""How long it has to end in order."""


def host_command(python: str, data: Path) -> list[str]:
    """The command of the host service of `data`."""
    run = ("-m", "cloudgate", "host", "run", "--until-input-ends")
    return [python, *run, "--data", str(data)]


class ProcessKeeper:
    """Has a program run until it is told to stop, however often that ends by itself."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        """`log`: where the program writes what it has to say."""
        self._command = command
        self._log = log
        self._stopping = threading.Event()
        self._news = threading.Event()
        """The program has ended, or is to end."""

    def run(self) -> int:
        """Keep it running; returns after `stop`, with what the program ended with."""
        ended_with = 0
        while not self._stopping.is_set():
            self._news.clear()
            with self._log.open("ab") as log:
                running = subprocess.Popen(
                    self._command, stdin=subprocess.PIPE, stdout=log, stderr=log
                )
            with running:
                threading.Thread(target=self._watch, args=(running,), daemon=True).start()
                if not self._stopping.is_set():
                    self._news.wait()
                ended_with = _end(running) if self._stopping.is_set() else running.wait()
            if not self._stopping.is_set():
                self._news.clear()
                self._news.wait(PAUSE_SECONDS)
        return ended_with

    def stop(self) -> None:
        """Have it end: in order, or at once where that takes too long. Does not wait for it."""
        self._stopping.set()
        self._news.set()

    def _watch(self, running: "subprocess.Popen[bytes]") -> None:
        running.wait()
        self._news.set()


def _end(running: "subprocess.Popen[bytes]") -> int:
    if running.stdin is not None:
        running.stdin.close()
    try:
        return running.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        running.kill()
        return running.wait()


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
            data = Path(sys.argv[1])
            log = data / "host" / "logs" / "service.log"
            log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._keeper = ProcessKeeper(host_command(sys.executable, data), log)

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
