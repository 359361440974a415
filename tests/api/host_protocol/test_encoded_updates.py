"""Encoded updates: what many hosts are told is made once, and what is for one is told to it."""

from uuid import uuid4

from cloudgate.api.host_protocol.encoded_updates import MOST_KEPT, EncodedUpdates
from cloudgate.manager.registries.hosts.tenant_counts import WANTED_SECONDS
from cloudgate.protocol import DirectoryChange, Question, Update

MANAGERS = ("m1.example:9398", "m2.example:9398")


def change(revision: int = 2) -> DirectoryChange:
    return DirectoryChange(from_revision=1, revision=revision, removed=(uuid4(),))


def said(told: EncodedUpdates, update: Update, managers: tuple[str, ...] | None = None) -> Update:
    return Update.model_validate_json(bytes(told.response(update, managers).body))


def test_what_all_are_told_is_made_once_and_says_the_same_as_if_it_were_made_for_each() -> None:
    told, update = EncodedUpdates(), Update(directory=change())
    first = told.response(update, MANAGERS)
    assert told.response(Update(directory=update.directory), MANAGERS) is first
    whole = update.model_copy(update={"figures_seconds": WANTED_SECONDS, "managers": MANAGERS})
    assert bytes(first.body).decode() == whole.model_dump_json()
    assert told.response(Update(), None) is told.response(Update(), None)


def test_another_change_trace_or_list_of_managers_is_told_as_it_is() -> None:
    told, update = EncodedUpdates(), Update(directory=change())
    traced = update.model_copy(update={"directory_trace": "00-1"})
    for each, managers in ((update, MANAGERS), (update, None), (traced, None), (Update(), None)):
        found = said(told, each, managers)
        assert (found.directory, found.directory_trace, found.managers) == (
            each.directory,
            each.directory_trace,
            managers,
        )


def test_what_is_for_one_host_is_told_to_no_other() -> None:
    told, update = EncodedUpdates(), Update(directory=change())
    asked = update.model_copy(update={"question": Question(question="q")})
    renewed = update.model_copy(update={"credential": "secret"})
    for each in (asked, renewed):
        found = said(told, each)
        assert (found.question, found.credential) == (each.question, each.credential)
    found = said(told, update)
    assert (found.question, found.credential) == (None, None)


def test_only_the_newest_are_kept_and_all_are_told_rightly() -> None:
    told = EncodedUpdates()
    first = told.response(Update(directory=change()), None)
    updates = [Update(directory=change(number)) for number in range(3, 4 + MOST_KEPT)]
    for each in (*updates, *updates):
        found = said(told, each)
        assert found.directory == each.directory
    assert told.response(Update(directory=change()), None) is not first
