"""Programs that are asked something: they answer in time, and never outlive who asks."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cloudgate.errors import UnavailableError
from cloudgate.processes.programs import ask
from tests.support.waiting import until

PYTHON = sys.executable


def is_there(pid: int) -> bool:
    """Whether a process runs; one that ended and was not waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


def test_what_a_program_says_is_told_with_how_it_ended() -> None:
    said = ask([PYTHON, "-c", "import sys; print('yes'); print('no', file=sys.stderr)"], seconds=20)
    assert (said.is_well, said.output, said.errors) == (True, "yes\n", "no\n")
    said = ask([PYTHON, "-c", "import sys; sys.exit('it is broken')"], seconds=20)
    assert (said.status, said.complaint) == (1, "it is broken")
    assert ask(["false"], seconds=20).complaint == "it ended with status 1"


def test_a_program_that_is_not_there_is_unknown_and_not_silent(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="envoy cannot be run: No such file"):
        ask([tmp_path / "envoy"], seconds=20)
    (tmp_path / "envoy").write_text("#!/bin/sh\n")
    with pytest.raises(UnavailableError, match="envoy cannot be run: Permission denied"):
        ask([tmp_path / "envoy"], seconds=20)


def test_a_program_that_does_not_answer_is_ended_with_all_that_it_has_started(
    tmp_path: Path,
) -> None:
    noted = tmp_path / "pids"
    script = tmp_path / "slow"
    script.write_text(f"#!/bin/sh\nsleep 600 & echo $$ $! > {noted}\nwait\n")
    script.chmod(0o755)
    with pytest.raises(UnavailableError, match="slow did not answer within 1 seconds"):
        ask([script], seconds=1)
    for pid in noted.read_text().split():
        until(lambda pid=pid: not is_there(int(pid)))  # type: ignore[misc]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's end")
def test_a_program_ends_with_who_asks_it_also_when_that_is_killed(tmp_path: Path) -> None:
    noted = tmp_path / "pid"
    script = tmp_path / "slow"
    script.write_text(f"#!/bin/sh\necho $$ > {noted}\nexec sleep 600\n")
    script.chmod(0o755)
    asking = f"from cloudgate.processes.programs import ask; ask([{str(script)!r}], seconds=600)"
    with subprocess.Popen([PYTHON, "-c", asking]) as asker:
        until(lambda: noted.exists() and noted.read_text().strip())
        pid = int(noted.read_text())
        assert is_there(pid)
        os.kill(asker.pid, signal.SIGKILL)
    until(lambda: not is_there(pid))
