"""What do lines of the log look like, and what of one that cannot be written?"""

import errno
import io
import json
import logging
import os
import re
import subprocess
import sys
import tempfile
from typing import Any

import pytest

from cloudgate.cli.service.logs import (
    LossyStream,
    RepetitionFilter,
    _ColouredLines,
    _JsonLines,
    _missing_as,
)


class Stream(io.StringIO):
    """Takes text, or has a reason not to."""

    reason: int | None = None

    def write(self, text: str) -> int:
        if self.reason:
            raise OSError(self.reason, "")
        return super().write(text)


def test_what_cannot_be_written_is_counted_and_told_with_the_next_line_that_can() -> None:
    stream = Stream()
    log = LossyStream(stream)
    for reason in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EIO, errno.EPIPE):
        stream.reason = reason
        print("lost", file=log, flush=True)
    stream.reason = None
    print("there", file=log, flush=True)
    print("there, too", file=log, flush=True)
    first, *others = stream.getvalue().splitlines()
    assert first == "5 lines of the log before this could not be written"
    assert others == ["there", "there, too"]


PROGRAM = """
import logging, structlog
from cloudgate.cli.service.logs import log_to_stderr
from cloudgate.trace_context import begin, following
from datetime import datetime, UTC
log_to_stderr()
log = structlog.get_logger("x")
log.info("an event", gateway="gw1", path="/a\\nb", name="Köln")
header = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
with following(begin([header], datetime.now(UTC))):
    log.warning("another")
    logging.getLogger("library").error("of %s", "a library")
try:
    1 / 0
except ZeroDivisionError as error:
    log.error("it failed", exc_info=error)
logging.getLogger("library").info("not shown")
"""


def spoken(environment: dict[str, str]) -> tuple[list[str], str]:
    """What a program logs into a file, and the file's name for journald."""
    with tempfile.TemporaryFile("w+") as file:
        found = os.fstat(file.fileno())
        journal = f"{found.st_dev}:{found.st_ino}"
        environment = {name: value.replace("THIS", journal) for name, value in environment.items()}
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            stderr=file,
            env={**os.environ, **environment},
            check=True,
            timeout=60,
        )
        file.seek(0)
        return file.read().splitlines(), journal


def test_every_line_is_json_with_its_time_its_level_and_what_happened_first() -> None:
    lines, _ = spoken({"JOURNAL_STREAM": "1:2"})
    found: list[dict[str, Any]] = [json.loads(line) for line in lines]
    assert [list(each)[:3] for each in found] == [["timestamp", "level", "event"]] * 4
    assert [(each["level"], each["event"]) for each in found] == [
        ("info", "an event"),
        ("warning", "another"),
        ("error", "of a library"),
        ("error", "it failed"),
    ]
    assert (found[0]["gateway"], found[0]["name"]) == ("gw1", "Köln")
    assert [each.get("trace_id") for each in found] == [
        None, "0af7651916cd43dd8448eb211c80319c", "0af7651916cd43dd8448eb211c80319c", None,
    ]  # fmt: skip
    assert "ZeroDivisionError" in found[3]["exception"]
    assert all(each["timestamp"].endswith("Z") for each in found)


@pytest.mark.parametrize("render", [_ColouredLines(), _JsonLines(with_priority=False)])
def test_what_others_say_steers_no_terminal_and_begins_no_line(render: Any) -> None:
    steering = "\x1b]0;x\x07\x9b2J\n2030-01-01 [info] nothing happened"
    said = {
        "level": "warning",
        "event": f"a library: {steering}",
        "name": steering,
        "other": "\x1b",
    }
    lines = render(None, "warning", {**said, "exception": f"Traceback:\n  {steering}"})
    ours = re.sub(r"\x1b\[[0-9]*m", "", lines)
    assert ours.replace("\n", "").isprintable()
    ends = [line for line in ours.split("\n") if line.startswith("2030")]
    assert len(ends) == isinstance(render, _ColouredLines)  # of the exception


def test_journald_is_told_how_urgent_each_line_is() -> None:
    lines, _ = spoken({"JOURNAL_STREAM": "THIS"})
    assert [line[:4] for line in lines] == ["<6>{", "<4>{", "<3>{", "<3>{"]


@pytest.mark.parametrize("lost", [1, 7])
def test_lines_that_are_missing_are_a_line_of_json_too(lost: int) -> None:
    stream = Stream()
    log = LossyStream(stream, _missing_as(_JsonLines(with_priority=False)))
    stream.reason = errno.ENOSPC
    for _ in range(lost):
        print("{}", file=log)
    stream.reason = None
    print("{}", file=log)
    first, last = map(json.loads, stream.getvalue().splitlines())
    assert first["lines"] == lost
    assert first["level"] == "warning"
    assert last == {}


def test_requests_that_are_no_http_fill_no_log() -> None:
    now = 0.0
    sparing = RepetitionFilter(lambda: now)

    def said(name: str = "uvicorn.error", level: int = logging.WARNING) -> str | None:
        record = logging.LogRecord(name, level, "", 0, "Invalid HTTP request.", None, None)
        return record.getMessage() if sparing.filter(record) else None

    assert [said() for _ in range(5)] == ["Invalid HTTP request.", *[None] * 4]
    assert said("another") == said(level=logging.ERROR) == "Invalid HTTP request."
    now = 61.0
    assert said() == "Invalid HTTP request. And 4 more since the line before."
