"""Fuzzing of the module: does anything that others send break it? As ``make fuzz ARGS=SECONDS``.

Each program of `PROGRAMS` runs so long, with cases that no run before had.
"""

import secrets
import subprocess
import sys
import tempfile
from pathlib import Path

from data_path.build import ADDRESSES, THREADS, build_fuzzer

PROGRAMS = (
    ("fuzz_text.c", ADDRESSES),
    ("fuzz_filter.c", ADDRESSES),
    ("fuzz_filter.c", THREADS),
)


def fuzz(source: str, sanitizer: str, seed: int, seconds: int) -> str:
    """What it says at its end.

    Raises:
        subprocess.CalledProcessError: something broke; it says what.
    """
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "fuzz"
        build_fuzzer(program, source, sanitizer)
        said = subprocess.run(
            [program, str(seed), str(seconds)], stdout=subprocess.PIPE, text=True, check=True
        )
        return said.stdout.strip()


def main() -> None:
    """Fuzz, as long as is said."""
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    for source, sanitizer in PROGRAMS:
        seed = secrets.randbelow(2**31)
        said = fuzz(source, sanitizer, seed, seconds)
        sys.stdout.write(f"{source} ({sanitizer}), seed {seed}: {said}\n")


if __name__ == "__main__":
    main()
