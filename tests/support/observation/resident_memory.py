"""Resident memory: how much of the machine's has a process?"""

from pathlib import Path


def resident_kib(pid: int) -> int:
    """What a process has of the machine's memory."""
    text = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("VmRSS:"))
