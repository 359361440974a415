"""Name servers: how are the addresses of a name put there? By RFC 2136, signed (RFC 8945)."""

from collections.abc import Iterable
from pathlib import Path

import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.tsig
import dns.tsigkeyring
import dns.update

from cloudgate.errors import UnavailableError
from cloudgate.manager.settings.dns_names import NameServer
from cloudgate.network import hostport
from cloudgate.network.happy_eyeballs import best_address
from cloudgate.processes.programs import ask

TTL_SECONDS = 15
ANSWER_SECONDS = 5.0
HOOK_SECONDS = 60.0
_SHOWN_CHARACTERS = 500


def put_by_hook(hook: Path, name: str, addresses: Iterable[str]) -> None:
    """Have the operator's program see to it that a name has these addresses, and no others.

    Raises:
        UnavailableError: it cannot be run, fails, or does not end in time.
    """
    told = f"The program {hook} (addresses {name})"
    try:
        ended = ask([hook, "addresses", name, *addresses], seconds=HOOK_SECONDS)
    except UnavailableError as problem:
        raise UnavailableError(f"{told} failed: {problem.message}") from None
    if not ended.is_well:
        said = ended.errors.strip()[-_SHOWN_CHARACTERS:]
        raise UnavailableError(
            f"{told} failed with status {ended.status}: {said or 'it said nothing'}"
        )


def put(server: NameServer, name: str, addresses: Iterable[str]) -> None:
    """See to it that a name has these addresses, and no others.

    Raises:
        UnavailableError: the name server does not answer, or refuses; the message says why.
    """
    where = f"The name server {hostport.join(server.host, server.port)}"
    full, wanted = dns.name.from_text(name), tuple(addresses)
    try:
        update = dns.update.UpdateMessage(_zone_of(server, full))
        for kind, is_kind in (("A", _is_ipv4), ("AAAA", _is_ipv6)):
            found = [each for each in wanted if is_kind(each)]
            if found:
                update.replace(full, TTL_SECONDS, kind, *found)
            else:
                update.delete(full, kind)
        _ask(server, update)
    except (dns.exception.Timeout, TimeoutError):
        raise UnavailableError(
            f"{where} did not answer within {ANSWER_SECONDS:.0f} seconds."
        ) from None
    except (dns.tsig.PeerError, dns.tsig.BadSignature, dns.message.UnknownTSIGKey) as problem:
        raise UnavailableError(
            f"{where} does not accept the key {server.key_name}: {str(problem).rstrip('.')}. See"
            " --dns-key-file, and the clocks of both."
        ) from None
    except dns.exception.FormError:
        # Who refuses to have anything to do with a name does not sign that (RFC 8945, 5.3.2).
        raise UnavailableError(
            f"{where} refuses {name}, without a signature: see that it has the zone of that name,"
            f" and takes updates by the key {server.key_name}."
        ) from None
    except dns.exception.DNSException as problem:
        raise UnavailableError(f"{where} answers what is no DNS: {problem}.") from None
    except EOFError:
        raise UnavailableError(f"{where} closes the connection without an answer.") from None
    except OSError as problem:  # whatever keeps it from being reached is for the operator to see
        raise UnavailableError(
            f"{where} cannot be reached: {problem.strerror or problem}."
        ) from None


def _zone_of(server: NameServer, name: dns.name.Name) -> dns.name.Name:
    """The zone that a name is in, as its server says."""
    zone = name
    while zone != dns.name.root:
        answer = _ask(server, dns.message.make_query(zone, dns.rdatatype.SOA))
        if any(each.rdtype == dns.rdatatype.SOA and each.name == zone for each in answer.answer):
            return zone
        zone = zone.parent()
    raise UnavailableError(
        f"The name server {hostport.join(server.host, server.port)} has no zone that {name} could"
        " be in. Give it one, or correct --dns-name."
    )


def _ask(server: NameServer, message: dns.message.Message) -> dns.message.Message:
    """What it answers; signed both ways.

    Raises:
        UnavailableError: it refuses.
    """
    keyring = dns.tsigkeyring.from_text({server.key_name: (server.algorithm, server.secret)})
    message.use_tsig(keyring)
    address = best_address(server.host, server.port, ANSWER_SECONDS)
    answer = dns.query.tcp(message, address, ANSWER_SECONDS, server.port)
    code = answer.rcode()
    if code not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        raise UnavailableError(
            f"The name server {hostport.join(server.host, server.port)} refuses:"
            f" {dns.rcode.to_text(code)}. See that the key {server.key_name} may update the zone."
        )
    return answer


def _is_ipv4(address: str) -> bool:
    return ":" not in address


def _is_ipv6(address: str) -> bool:
    return ":" in address
