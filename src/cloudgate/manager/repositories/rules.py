"""Repository rules: what may a repository be, and what makes a service address? Pure."""

from cloudgate.errors import InvalidRequestError
from cloudgate.network import hostport

DEFAULT_KIND = "LinuxLocal"


def service(text: str, name: str) -> str:
    """``host:port`` as it is shown: in its usual form, or as typed where a name needs A-labels.

    Raises:
        InvalidRequestError: no program can name it; `name` says which element it was.
    """
    try:
        return hostport.typed(text)
    except hostport.InvalidHostError as error:
        raise InvalidRequestError(
            f"{name}: found {hostport.quoted(text)}, expected host:port such as vault.example:8443:"
            f" {error.message}."
        ) from None
