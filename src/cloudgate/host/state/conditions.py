"""Host conditions: what keeps this machine from doing all that it should, in words?"""

import errno
import os
from pathlib import Path

_ADVICE = {
    errno.ENOSPC: "Make room on its disk, for bytes and for files.",
    errno.EDQUOT: "Give the user of the host service more room on its disk.",
    errno.EROFS: "Have its disk mounted for writing.",
    errno.EIO: "Look after its disk.",
    errno.EACCES: "Let the user of the host service write there.",
    errno.EPERM: "Let the user of the host service write there.",
    errno.EMFILE: "Raise LimitNOFILE of its service.",
    errno.ENFILE: "Raise fs.file-max.",
}


class Conditions:
    """What is wrong with this machine, one text of each kind; reported with the machine's facts."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    @property
    def text(self) -> str:
        """All of them; empty when there is none."""
        return " ".join(dict.fromkeys(text for _, text in sorted(self._texts.items()) if text))

    def set(self, kind: str, text: str) -> None:
        """This is how it is with that now; an empty text ends it."""
        self._texts[kind] = text

    def set_write_failure(self, kind: str, error: OSError) -> None:
        """The disk does not take what has to be kept."""
        why, advice = _explained(error)
        self.set(
            kind,
            f"Its disk does not take what has to be kept: {why}. {advice} Until then it goes on"
            " with what it knew before, without what was taken away since.",
        )


def said_of(error: OSError, folder: Path) -> str:
    """What failed, where, why, and what to do; `folder`: where it was, if the system names none."""
    why, advice = _explained(error)
    return (
        f"The host service cannot use {error.filename or folder}: {why}. {advice} It is tried again"
        " by itself."
    )


def unread(error: OSError, path: Path) -> str:
    """That a file cannot be read, why, and what to do."""
    why, advice = _explained(error)
    if error.errno in (errno.EACCES, errno.EPERM):
        advice = "Let the user of the host service read it."
    return f"{path} cannot be read: {why}. {advice}"


def _explained(error: OSError) -> tuple[str, str]:
    """Why, and what to do."""
    number = error.errno or 0
    why = os.strerror(number) if number > 0 else str(error)
    return why, _ADVICE.get(number, "Mend that.")
