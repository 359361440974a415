"""What does the connection manager hear of what was decided of a request before?"""

from dataclasses import replace
from uuid import UUID

from cloudgate.host.access_log.tunnel_metadata import TunnelMetadata
from cloudgate.host.authorization.authorizer import AuthorizationResult
from cloudgate.host.authorization.module import decision_cache
from cloudgate.host.authorization.module.decision_cache import (
    REMEMBERED_SECONDS,
    SILENT,
    ConnectRequest,
    DecisionCache,
)
from cloudgate.host.authorization.policy import Denial
from cloudgate.host.envoy.start_rates import to_one, to_several

QUESTION = ConnectRequest("vault:443", "Basic x", "192.0.2.7", 4711)
REFUSED = AuthorizationResult("acme", "vault:443", denial=Denial(403, "no"))
HOLDER = TunnelMetadata(slot_id="7", tenant_id=UUID(int=1))
LET_IN = AuthorizationResult("acme", "vault:443", "192.0.2.9:443", metadata=HOLDER)


def test_who_was_refused_is_refused_once_more_and_then_nobody_knows() -> None:
    decided = DecisionCache()
    decided.remember(QUESTION, REFUSED)
    assert decided.take(QUESTION) == REFUSED
    assert decided.take(QUESTION) is None


def test_another_question_from_the_same_port_is_asked_anew() -> None:
    for other in (
        replace(QUESTION, authorization="Basic y"),
        replace(QUESTION, authorization=None),
        replace(QUESTION, authority="other:443"),
    ):
        decided = DecisionCache()
        decided.remember(QUESTION, REFUSED)
        assert decided.take(other) is None


def test_a_target_that_was_tried_does_not_answer_or_has_other_addresses() -> None:
    decided = DecisionCache()
    decided.remember(QUESTION, LET_IN)
    assert decided.take(QUESTION) == replace(LET_IN, denial=SILENT)
    several = to_several(LET_IN.cluster)
    two = replace(LET_IN, cluster=several, others=("192.0.2.10:443", "192.0.2.11:443"))
    decided.remember(QUESTION, two)
    rest = replace(two, address="192.0.2.10:443", others=("192.0.2.11:443",))
    assert decided.take(QUESTION) == rest
    decided.remember(QUESTION, rest)
    last = decided.take(QUESTION)
    assert last == replace(rest, address="192.0.2.11:443", others=(), cluster=to_one(several))


def test_what_is_too_old_or_was_given_up_is_asked_anew() -> None:
    now = [0.0]
    decided = DecisionCache(lambda: now[0])
    decided.remember(QUESTION, REFUSED)
    now[0] = REMEMBERED_SECONDS
    assert decided.take(QUESTION) is None
    decided.remember(QUESTION, REFUSED)
    decided.forget(QUESTION)
    decided.forget(QUESTION)
    assert decided.take(QUESTION) is None


def test_no_more_is_remembered_than_there_is_room_for_and_nothing_old() -> None:
    now = [0.0]
    decided = DecisionCache(lambda: now[0])
    most = decision_cache.MOST_REMEMBERED
    asked = [
        replace(QUESTION, address=f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}") for n in range(most + 2)
    ]
    for each in asked:
        decided.remember(each, REFUSED)
    assert [decided.take(each) for each in (asked[0], asked[1])] == [None, None]
    assert decided.take(asked[2]) == REFUSED
    now[0] = 2 * REMEMBERED_SECONDS
    decided.remember(QUESTION, REFUSED)
    assert decided.take(asked[-1]) is None
    assert decided.take(QUESTION) == REFUSED


def test_a_question_shows_no_password() -> None:
    assert "Basic" not in repr(QUESTION)
