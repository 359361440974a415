"""ACME server: how is one asked for a certificate? By RFC 8555, with Certbot's library.

It is not ours, and may be anybody's: what it says is used for nothing but the names that were
ordered, and what it gives is put into force when it is what was ordered.
"""

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta

import requests
from acme import challenges as kinds
from acme import client, crypto_util, errors, messages
from cryptography.hazmat.primitives import serialization
from josepy import errors as jose_errors
from josepy import jwa, jwk

from cloudgate import __version__
from cloudgate.errors import InvalidRequestError, UnavailableError
from cloudgate.manager.certificates import rules
from cloudgate.manager.certificates.acme_dialling import ANSWER_SECONDS, DiallingAdapter
from cloudgate.manager.certificates.orders import Order, OrderRequest
from cloudgate.manager.certificates.rules import BroughtCertificate
from cloudgate.manager.registries.acme_challenges import DNS, AcmeChallenges
from cloudgate.manager.security.authority import new_key_pem
from cloudgate.values.enumeration import few

CHECK_LIMIT = timedelta(minutes=5)
"""How long the server may take to look at all names, and as long again to sign."""
_SHOWN_CHARACTERS = 500


def ask(order: Order, challenges: AcmeChallenges) -> BroughtCertificate:
    """Have an ACME server certify names for a new key. Blocks until it did.

    By asking, the operator agrees to the server's terms of service.

    Raises:
        UnavailableError: it does not, with the server's reason.
    """
    request = order.request
    try:
        with _connected(order) as server:
            return _ordered(server, request, challenges)
    except errors.ValidationError as problem:
        raise UnavailableError(_not_ours(problem, request)) from None
    except errors.TimeoutError:
        raise UnavailableError(
            f"The ACME server {request.directory_url} did not decide within"
            f" {CHECK_LIMIT.total_seconds() / 60:.0f} minutes."
        ) from None
    except requests.exceptions.SSLError as problem:
        raise UnavailableError(
            f"The ACME server {request.directory_url} cannot be trusted: {_short(problem)}. Give"
            " the authority that signed its certificate as CaFile, if it is a private one."
        ) from None
    except requests.exceptions.RequestException as problem:
        raise UnavailableError(
            f"The ACME server {request.directory_url} cannot be reached: {_short(problem)}"
        ) from None
    except (errors.Error, messages.Error, jose_errors.Error, ValueError, KeyError) as problem:
        raise UnavailableError(
            f"The ACME server {request.directory_url} has refused: {_short(problem)}"
        ) from None
    except (TypeError, AttributeError, ArithmeticError, RecursionError):
        # The library takes on trust that a document has what RFC 8555 says.
        raise UnavailableError(
            f"The ACME server {request.directory_url} says what no ACME server says."
        ) from None


@contextmanager
def _connected(order: Order) -> Iterator[client.ClientV2]:
    """The server, with an account that the order's key opens."""
    request = order.request
    key = serialization.load_pem_private_key(order.account_key_pem.encode(), None)
    with ExitStack() as held:
        network = client.ClientNetwork(
            jwk.JWKEC(key=key),
            alg=jwa.ES256,
            user_agent=f"Cloudgate/{__version__}",
            timeout=int(ANSWER_SECONDS),
        )
        held.callback(network.session.close)
        adapter = DiallingAdapter(request.directory_url)
        for scheme in ("http://", "https://"):
            network.session.mount(scheme, adapter)
        if request.authority_pem:
            file = held.enter_context(tempfile.NamedTemporaryFile("w", suffix=".pem"))
            file.write(request.authority_pem)
            file.flush()
            vars(network)["verify_ssl"] = file.name  # requests takes a file as well as a truth
        directory = client.ClientV2.get_directory(request.directory_url, network)
        server = client.ClientV2(directory, network)
        if server.external_account_required():
            raise UnavailableError(
                f"The ACME server {request.directory_url} wants accounts to be bound to one that it"
                " knows already (RFC 8555, 7.3.4), which Cloudgate cannot do."
            )
        _open_account(server, request)
        yield server


def _open_account(server: client.ClientV2, request: OrderRequest) -> None:
    """Open the account of the key, or find it (RFC 8555, 7.3.1)."""
    asked = messages.NewRegistration.from_data(
        email=request.email or None, terms_of_service_agreed=True
    )
    try:
        server.new_account(asked)
    except errors.ConflictError as known:
        server.net.account = messages.RegistrationResource(body=asked, uri=known.location)


def _ordered(
    server: client.ClientV2, request: OrderRequest, challenges: AcmeChallenges
) -> BroughtCertificate:
    key_pem = new_key_pem()
    order = server.new_order(crypto_util.make_csr(key_pem.encode(), list(request.names)))
    asked_of = _asked_of(order.authorizations, request)
    with ExitStack() as shown:
        answers = [
            _shown(server, each, name, request, challenges=challenges, finally_=shown.callback)
            for each, name in zip(order.authorizations, asked_of, strict=True)
            if each.body.status != messages.STATUS_VALID
        ]
        for challenge, response in answers:
            server.answer_challenge(challenge, response)
        order = server.poll_authorizations(order, _deadline())
    order = server.finalize_order(order, _deadline())
    try:
        return rules.issued(order.fullchain_pem, key_pem, request.names)
    except InvalidRequestError as problem:
        raise UnavailableError(
            f"The ACME server {request.directory_url} gave what was not ordered: {problem.message}"
        ) from None


def _asked_of(
    authorizations: Sequence[messages.AuthorizationResource], request: OrderRequest
) -> list[str]:
    """The name that we are to show of each authorization: one that was ordered, and once for each.

    Raises:
        UnavailableError: the server asks for something else.
    """
    left = Counter(name.removeprefix("*.") for name in request.names)
    found = []
    for each in authorizations:
        identifier = each.body.identifier
        name = str(identifier.value).lower()
        if identifier.typ != messages.IDENTIFIER_FQDN or not left[name]:
            raise UnavailableError(
                f"The ACME server {request.directory_url} wants to be shown"
                f" {identifier.value[:100]!r}, which was not ordered, or more than once. Nothing is"
                " shown to it."
            )
        left[name] -= 1
        found.append(name)
    return found


def _shown(
    server: client.ClientV2,
    authorization: messages.AuthorizationResource,
    name: str,
    request: OrderRequest,
    *,
    challenges: AcmeChallenges,
    finally_: Callable[..., object],
) -> tuple[messages.ChallengeBody, kinds.ChallengeResponse]:
    """Let the server see that a name is ours. What to tell it then."""
    offered = {each.chall.typ: each for each in authorization.body.challenges}
    found = offered.get(request.challenge)
    if found is None:
        raise UnavailableError(
            f"The ACME server {request.directory_url} does not check {name} by"
            f" {request.challenge}; it offers {_cut(few(sorted(offered)))}."
        )
    response, text = found.response_and_validation(server.net.key)
    if request.challenge == DNS:
        record = found.chall.validation_domain_name(name)
        finally_(challenges.clean_up, record, text)
        challenges.call_hook("present", record, text)
    else:
        token = found.chall.encode("token")
        finally_(challenges.hide, token)
        challenges.show(token, text)
    return found, response


def _deadline() -> datetime:
    return datetime.now() + CHECK_LIMIT  # noqa: DTZ005  as the library compares it


def _not_ours(problem: errors.ValidationError, request: OrderRequest) -> str:
    said = [
        f"{each.body.identifier.value}: {challenge.error.detail}"
        for each in problem.failed_authzrs
        for challenge in each.body.challenges
        if challenge.error is not None
    ]
    advice = (
        "Have the names' DNS servers show what the program of --acme-dns-hook is told."
        if request.challenge == DNS
        else "Have port 80 of these names forwarded to the manager's --http-port."
    )
    return (
        f"The ACME server could not see that the names are ours: {_cut(few(said, '; '))}. {advice}"
    )


def _short(problem: Exception) -> str:
    """The reason, without the layers that it came through."""
    inner = problem.args[0] if problem.args else None
    reason = getattr(problem, "detail", None) or getattr(inner, "reason", None) or problem
    return _cut(str(reason))


def _cut(said: str) -> str:
    """What the server says, as much of it as a message has room for, in one line."""
    return " ".join(said.split())[:_SHOWN_CHARACTERS]
