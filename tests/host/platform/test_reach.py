"""Is an operator told where the kernel lets the host service not reach into Envoy's sockets?

As in a container whose seccomp profile is the usual one: there pidfd_getfd(2) answers EPERM.
"""

import asyncio
import ctypes
import errno
import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from cloudgate.diagnosis.machine import check
from cloudgate.errors import UnavailableError
from cloudgate.host.platform.linux_sockets import check_reach

_LOAD_NUMBER, _ONE_IF_EQUAL, _ANSWER = 0x20, 0x15, 0x06
"""Of a program of seccomp: the number of the call, a jump, an end (linux/bpf_common.h)."""
_ERRNO, _ALLOW = 0x00050000, 0x7FFF0000
_NO_NEW_PRIVILEGES, _SECCOMP, _FILTER = 38, 22, 2
_PIDFD_GETFD = 438


class _Program(ctypes.Structure):
    _fields_ = (("count", ctypes.c_ushort), ("steps", ctypes.c_void_p))


def forbid(answer: int) -> None:
    """Have pidfd_getfd answer so from here on, to this process and all that it starts."""
    steps = [
        (_LOAD_NUMBER, 0, 0, 0),
        (_ONE_IF_EQUAL, 0, 1, _PIDFD_GETFD),
        (_ANSWER, 0, 0, _ERRNO | answer),
        (_ANSWER, 0, 0, _ALLOW),
    ]
    packed = b"".join(struct.pack("HBBI", *each) for each in steps)
    buffer = ctypes.create_string_buffer(packed)
    program = _Program(len(steps), ctypes.cast(buffer, ctypes.c_void_p))
    libc = ctypes.CDLL(None, use_errno=True)
    if (
        libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) < 0
        or libc.prctl(_SECCOMP, _FILTER, ctypes.byref(program), 0, 0) < 0
    ):
        raise OSError(ctypes.get_errno(), "no filter can be set")


def doctor(data: Path, answer: int) -> dict[str, dict[str, str]]:
    """What the doctor says where the call answers so."""
    done = subprocess.run(
        [sys.executable, "-m", __name__, str(data), str(answer)],
        cwd=Path(__file__).parents[3],
        check=True,
        capture_output=True,
    )
    return {each["Check"]: each for each in json.loads(done.stdout)}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "host").mkdir()
    return tmp_path


@pytest.mark.anyio
async def test_the_doctor_says_that_tunnels_can_be_reached_where_they_can(data: Path) -> None:
    check_reach()
    found = {each.check: each async for each in check(data)}
    assert found["reach"].verdict == "ok"
    assert "tunnels" in found["reach"].text


def test_the_doctor_says_what_a_container_lacks_whose_profile_forbids_the_call(data: Path) -> None:
    said = doctor(data, errno.EPERM)["reach"]
    assert said["Verdict"] == "problem"
    assert "Operation not permitted" in said["Text"]
    assert "no tunnel" in said["Text"], "what follows from it"
    assert "seccomp profile" in said["Advice"]
    assert "--cap-add SYS_PTRACE" in said["Advice"]
    assert "yama.ptrace_scope" in said["Advice"], "where it is no container"


def test_the_doctor_says_that_a_kernel_is_too_old_for_it(data: Path) -> None:
    said = doctor(data, errno.ENOSYS)["reach"]
    assert said["Verdict"] == "problem"
    assert "Linux 5.6" in said["Advice"]


@pytest.mark.anyio
async def test_on_a_machine_without_a_host_service_it_is_not_asked(tmp_path: Path) -> None:
    assert "reach" not in {each.check async for each in check(tmp_path)}


def test_what_the_host_service_says_of_it_has_the_same_words() -> None:
    child = subprocess.run(
        [sys.executable, "-m", __name__, str(errno.EPERM)],
        cwd=Path(__file__).parents[3],
        check=True,
        capture_output=True,
        text=True,
    )
    assert "cannot be reached one by one" in child.stdout
    assert "seccomp profile" in child.stdout


def _main() -> None:
    *folder, answer = sys.argv[1:]
    forbid(int(answer))
    if not folder:
        try:
            check_reach()
        except UnavailableError as problem:
            sys.stdout.write(problem.message)
        return

    async def look() -> list[dict[str, str]]:
        return [dict(each.document()) async for each in check(Path(folder[0]))]

    sys.stdout.write(json.dumps(asyncio.run(look())))


if __name__ == "__main__":
    os.environ.pop("CLOUDGATE_DATA", None)
    _main()
