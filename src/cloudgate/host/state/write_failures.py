"""Write failures: what is said where the disk, or the system, refuses what has to be kept?"""

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


def said_of(error: OSError, folder: Path) -> str:
    """What failed, where, why, and what to do; `folder`: where it was, if the system names none."""
    number = error.errno or 0
    why = os.strerror(number) if number > 0 else str(error)
    advice = _ADVICE.get(number, "Mend that.")
    return (
        f"The host service cannot use {error.filename or folder}: {why}. {advice} It is tried again"
        " by itself."
    )
