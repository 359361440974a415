"""Send buffer: how much may wait in the kernel to be sent? Pure."""

UNSENT_SECONDS = 0.1
LEAST_UNSENT_BYTES = 4 * 1024
_LARGEST_OPTION = 2**31 - 1
"""What setsockopt(2) takes for a number."""


def most_unsent_bytes(rate_bytes: int) -> int:
    """What may wait in the kernel to be sent (TCP_NOTSENT_LOWAT, tcp(7)).

    It goes on to arrive after a tunnel's end, when nobody can slow it any more.
    """
    return min(max(LEAST_UNSENT_BYTES, int(UNSENT_SECONDS * rate_bytes)), _LARGEST_OPTION)
