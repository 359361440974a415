"""Host conditions: what keeps this machine from doing all that it should, in words?"""


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
        reason = error.strerror or str(error)
        self.set(
            kind,
            f"Its disk does not take what has to be kept ({reason}): make room. Until then it goes"
            " on with what it knew before, without what was taken away since.",
        )
