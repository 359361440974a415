"""Do tests leave nothing behind, though they are killed?"""

import os
import subprocess
from pathlib import Path

from tests.support.machine.disks import needs_mounts, small_disk, unmount_leftovers


@needs_mounts
def test_disks_of_a_run_that_was_killed_are_unmounted_and_of_one_that_goes_on_they_are_not(
    tmp_path: Path,
) -> None:
    runs = tmp_path / "pytest-of-root"
    left = runs / "pytest-1" / "disk"
    left.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", left], check=True)
    with small_disk(runs / "pytest-2" / "disk") as kept:
        (runs / "pytest-2" / ".lock").write_text(str(os.getpid()))
        unmount_leftovers(tmp_path)
        assert not left.is_mount()
        assert kept.is_mount()
