"""Does a process give back to the system what was large and is freed?"""

import subprocess
import sys

_WORK = """
from pathlib import Path
from cloudgate.processes.freed_memory import give_back_large_blocks

def resident_kib():
    text = Path("/proc/self/status").read_text()
    return int(text.partition("VmRSS:")[2].split()[0])

give_back_large_blocks()
before = resident_kib()
for _ in range(3):
    large = b"x" * 8_000_000
    del large
print(resident_kib() - before)
"""


def test_what_was_large_is_given_back_to_the_system_when_it_is_freed() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _WORK], capture_output=True, text=True, check=True, timeout=60
    )
    assert int(done.stdout) < 2_000
