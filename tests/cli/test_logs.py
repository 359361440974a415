"""A line of the log that cannot be written is lost, and harms nobody."""

import errno
import io

from cloudgate.cli.service.logs import LossyStream


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
