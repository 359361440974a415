"""What a gateway has told of strangers is known again, and fills no memory."""

from uuid import UUID

from cloudgate.manager.registries.reported_guesses import MOST_OF_HOST, ReportedGuesses

ONE, OTHER = UUID(int=1), UUID(int=2)


def test_what_was_heard_is_known_by_host_and_kind_and_the_oldest_is_forgotten() -> None:
    heard = ReportedGuesses()
    assert heard.of(ONE, "guess", ["a"]) is None
    heard.add(ONE, "guess", ["a"])
    assert heard.of(ONE, "guess", ["a", "b"]) == frozenset({"a"})
    assert heard.of(ONE, "outsider", ["a"]) is None
    assert heard.of(OTHER, "guess", ["a"]) is None
    heard.add(ONE, "guess", [str(number) for number in range(MOST_OF_HOST)])
    assert heard.of(ONE, "guess", ["a", "0", "\ud800"]) == frozenset({"0"})
