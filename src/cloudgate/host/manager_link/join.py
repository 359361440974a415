"""Join: how does a machine become a managed server without trusting the first who answers?"""

import ssl
from pathlib import Path

import httpx2
import structlog

from cloudgate.errors import InvalidRequestError, NotAuthenticatedError, UnavailableError
from cloudgate.host.envoy.process import installed_version
from cloudgate.host.manager_link.client import ManagerClient
from cloudgate.host.manager_link.facts import gather_facts
from cloudgate.host.state.enrolment import Enrolment, save_enrolment
from cloudgate.host.state.paths import state_paths
from cloudgate.network.http_transport import AsyncDiallingTransport, why_unanswered
from cloudgate.network.short_answers import find_short_answer
from cloudgate.protocol import JoinRequest
from cloudgate.trust.pinned_authority import AnotherAuthorityError, pinned_authority

ANSWER_SECONDS = 10.0
_FINGERPRINT_DIGITS = 64

_log = structlog.get_logger(__name__)


async def join_host(state_folder: Path, url: str, token: str, ca_pem: str) -> None:
    """Make this machine a managed server of the manager at `url`, with its one-time `token`.

    Raises:
        CloudgateError: It is none now, with the reason.
    """
    paths = state_paths(state_folder)
    paths.make_folders()
    request = JoinRequest(token=token, facts=gather_facts(paths, installed_version()))
    async with ManagerClient(url, ca_pem) as client:
        answer = await client.join(request)
    save_enrolment(
        paths,
        Enrolment(
            url=url,
            server_id=answer.server_id,
            credential=answer.credential,
            ca_pem=ca_pem,
            manager_says_role=client.says_role,
        ),
    )
    _log.info("joined", url=url, server_id=str(answer.server_id))


async def authority_by_fingerprint(url: str, fingerprint: str) -> str:
    """The PEM of the manager's certificate authority, known by its SHA-256 `fingerprint`.

    Whoever answers is asked for it; nothing is told to them before the fingerprint was compared,
    and after it every connection is verified with this authority.

    Raises:
        InvalidRequestError: the fingerprint is none.
        UnavailableError: nobody answers, or not as a manager does.
        NotAuthenticatedError: the authority there is another one.
    """
    wanted = fingerprint.replace(":", "").strip().lower()
    if len(wanted) != _FINGERPRINT_DIGITS or not all(c in "0123456789abcdef" for c in wanted):
        raise InvalidRequestError("--fingerprint must be a SHA-256 of 64 hexadecimal digits.")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        async with httpx2.AsyncClient(
            transport=AsyncDiallingTransport(context), timeout=ANSWER_SECONDS, trust_env=False
        ) as client:
            address = f"{url.rstrip('/')}/host/v1/authority"
            shown = await find_short_answer(client, address, ANSWER_SECONDS)
        return pinned_authority(shown, wanted)
    except (httpx2.InvalidURL, httpx2.UnsupportedProtocol) as error:
        raise UnavailableError(f"The manager cannot be asked at {url}: {error}.") from error
    except httpx2.TransportError as error:
        raise UnavailableError(
            f"The manager at {url} does not answer: {why_unanswered(error)}."
        ) from error
    except AnotherAuthorityError as error:
        raise NotAuthenticatedError(
            f"The manager at {url} is not the one that is meant: the fingerprint of its authority"
            f" is {error.found}. Nothing was sent to it. Compare with what"
            " `cloudgate server create` showed."
        ) from None
    except ValueError:
        raise UnavailableError(f"{url} answers, but not as a manager does.") from None
