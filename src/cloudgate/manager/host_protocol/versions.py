"""Protocol versions: do a host and this manager understand each other?"""

from cloudgate import protocol
from cloudgate.errors import InvalidRequestError

Spoken = (
    protocol.JoinRequest
    | protocol.PollRequest
    | protocol.Report
    | protocol.UsageBatch
    | protocol.DemandReport
    | protocol.Answer
    | protocol.OwnRequest
)
"""What a host says, with the versions of the protocol that it speaks."""


def check_protocol(request: Spoken) -> None:
    """See whether there is a version of the protocol that both sides understand.

    Raises:
        InvalidRequestError: there is none.
    """
    oldest, newest = protocol.OLDEST_PROTOCOL, protocol.PROTOCOL
    if request.oldest_protocol > newest or request.protocol < oldest:
        raise InvalidRequestError(
            f"The host service speaks versions {request.oldest_protocol} to {request.protocol} of"
            f" the host protocol, this manager {oldest} to {newest}; bring both to the same"
            " release."
        )
