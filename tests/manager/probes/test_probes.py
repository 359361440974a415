"""What is measured, where it is looked for, and what is said when it cannot be: real servers."""

import os
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from cloudgate.manager.core.unit_of_work import Manager
from cloudgate.manager.probes import measuring, rules, s3, webdav
from cloudgate.manager.probes.operations import Batch, Share
from cloudgate.manager.probes.rules import Probe, ProbeMethod, Subject
from cloudgate.manager.protection import object_lock
from cloudgate.manager.protection.rules import Protection, ProtectionFinding, ProtectionMethod
from cloudgate.manager.settings.reachable import ReachableTargets
from cloudgate.manager.storage_services.answers import Limits, UnansweredError
from tests.support.ports import free_port
from tests.support.programs.storage import (
    PASSWORD,
    USER,
    DavServer,
    lock_objects,
    needs_rclone,
    rclone_webdav,
    s3_server,
    serving,
    store_objects,
)

ACME = Subject("acme", UUID(int=7))
OTHER = Subject("acme2", UUID(int=8))
NOBODY = Subject("nobody", UUID(int=9))
ACME_BYTES, OTHER_BYTES = 100_000 + 5_000, 77


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two tenants have stored, each in a folder of their own."""
    folder = tmp_path_factory.mktemp("stored")
    for name, size in (
        ("acme/data/1 ä", 100_000),
        ("acme/keys/a&b", 5_000),
        ("acme2/config", OTHER_BYTES),
    ):
        file = folder / "all" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(os.urandom(size))
    return folder


def dav_size(
    root: str, subject: Subject = ACME, limits: Limits | None = None, **more: Any
) -> int | None:
    probe = Probe(method=ProbeMethod.WEBDAV, url=f"{root}/all/{{tenant}}", username=USER)
    probe = replace(probe, **more)
    return webdav.measure(probe, PASSWORD, rules.collection_of(probe.url, subject), limits)


def refusal(root: str, limits: Limits | None = None, **more: Any) -> UnansweredError:
    with pytest.raises(UnansweredError) as caught:
        dav_size(root, limits=limits, **more)
    return caught.value


@needs_rclone
def test_a_webdav_server_without_quotas_is_summed(stored: Path) -> None:
    with rclone_webdav(stored) as url:
        assert dav_size(url) == ACME_BYTES
        assert dav_size(url, OTHER) == OTHER_BYTES
        assert dav_size(url, NOBODY) is None
        wrong_place = refusal(url, url=f"{url}/elsewhere/{{tenant}}")
        assert (wrong_place.everyone, "correct the Url" in wrong_place.message) == (True, True)
        file = refusal(url, url=f"{url}/all/{{tenant}}/keys/a&b")
        assert "is a file" in file.message
        wrong_user = refusal(url, username="nobody")
        assert (wrong_user.everyone, "correct them" in wrong_user.message) == (True, True)
        assert PASSWORD not in wrong_user.message


def test_a_figure_of_the_tenants_own_is_taken_at_its_word(stored: Path) -> None:
    dav = DavServer(stored, own_figures=True)
    with serving(dav) as url:
        assert dav_size(url, OTHER) == OTHER_BYTES
    assert dav.depths == ["0", "0"]


@pytest.mark.parametrize("deep", [True, False])
def test_a_figure_of_the_whole_disk_is_not(stored: Path, deep: bool) -> None:
    dav = DavServer(stored, own_figures=False, deep=deep)
    with serving(dav) as url:
        assert dav_size(url) == ACME_BYTES
    folders = [] if deep else ["1"] * 3
    assert dav.depths == ["0", "0", "infinity", *folders]


BEGUN = (
    b'<multistatus xmlns="DAV:"><response><href>/all/acme/</href><propstat><prop><resourcetype>'
    b"<collection/></resourcetype></prop></propstat></response>"
)


def pieces(first: bytes, again: bytes) -> Iterator[bytes]:
    yield first
    while True:
        yield again


@pytest.mark.parametrize(
    ("first", "again", "limits", "reason"),
    [
        (
            BEGUN,
            b"<response><href>/all/acme/x</href></response>" * 1000,
            Limits(answer_bytes=10_000_000),
            "longer than 10000000 bytes",
        ),
        (
            BEGUN,
            b"<response><href>/all/acme/x</href></response>",
            Limits(seconds=0.3),
            "longer than 0.3 seconds",
        ),
        (b"<a>", b"<b/>" * 10_000, Limits(), "none that was asked for"),
        (b"<a>", b"<b>" * 1000, Limits(), "no sound XML"),
        (b"<html>", b"<br>" * 1000, Limits(), "no sound XML"),
        (b"", b"nothing like XML " * 1000, Limits(), "no sound XML"),
    ],
)
def test_an_answer_without_an_end_is_given_up(
    first: bytes, again: bytes, limits: Limits, reason: str
) -> None:
    def endless(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("207 Multi-Status", [("Content-Type", "application/xml")])
        return pieces(first, again)

    began = time.process_time()
    with serving(endless) as url:
        assert reason in refusal(url, limits).message
    assert time.process_time() - began < 10


def test_entities_of_an_answer_are_not_followed(stored: Path) -> None:
    secret = stored / "secret"
    secret.write_text("123456")
    body = (
        f'<!DOCTYPE x [<!ENTITY e SYSTEM "{secret.as_uri()}">]><multistatus xmlns="DAV:"><response>'
        "<href>/all/acme/</href><propstat><prop><quota-used-bytes>&e;</quota-used-bytes>"
        "<resourcetype><collection/></resourcetype></prop></propstat></response></multistatus>"
    ).encode()

    def hostile(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("207 Multi-Status", [("Content-Type", "application/xml")])
        return [body]

    with serving(hostile) as url:
        assert dav_size(url) == 0


def test_a_server_that_is_away_redirects_or_is_no_webdav_server_is_told_apart() -> None:
    away = refusal(f"http://127.0.0.1:{free_port()}")
    assert (away.everyone, "cannot be reached" in away.message) == (True, True)
    for status, reason in (
        ("301 Moved Permanently", "elsewhere (301)"),
        ("403 Forbidden", "the right to"),
        ("200 OK", "answered 200"),
    ):

        def other(environ: Any, start_response: Any, status: str = status) -> list[bytes]:
            start_response(status, [("Location", "http://127.0.0.1:1/")])
            return [b""]

        with serving(other) as url:
            assert reason in refusal(url).message


@pytest.fixture(scope="module")
def s3_root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with s3_server(tmp_path_factory.mktemp("s3") / "weed") as url:
        yield url


@needs_rclone
def test_an_s3_server_lists_what_a_tenant_has(stored: Path, tmp_path: Path, s3_root: str) -> None:
    many = tmp_path / "many" / "all" / "acme" / "many"
    many.mkdir(parents=True)
    for number in range(1100):  # more than a list has on one page
        (many / str(number)).write_bytes(b"x" * 3)
    store_objects(stored, s3_root, "vault")
    store_objects(tmp_path / "many", s3_root, "vault")
    probe = Probe(
        method=ProbeMethod.S3, url=s3_root, bucket="vault", prefix="all/{tenant}/", username=USER
    )

    def size(subject: Subject, password: str = PASSWORD, **more: Any) -> int | None:
        asked = replace(probe, **more)
        return s3.measure(asked, password, *rules.objects_of(asked, subject))

    assert size(ACME) == ACME_BYTES + 3300
    assert size(OTHER) == OTHER_BYTES
    assert size(NOBODY) == 0
    assert size(NOBODY, bucket="{tenant}-vault") is None
    wrong: tuple[tuple[str, dict[str, str], str], ...] = (
        ("wrong", {}, "SignatureDoesNotMatch): correct Password"),
        (PASSWORD, {"username": "other"}, "InvalidAccessKeyId): correct Username"),
    )
    for password, more, reason in wrong:
        with pytest.raises(UnansweredError) as caught:
            size(ACME, password, **more)
        assert caught.value.everyone
        assert reason in caught.value.message


_RETENTION = "<DefaultRetention><Mode>{}</Mode><{}>{}</{}></DefaultRetention>"


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs the Debian package curl")
def test_a_bucket_keeps_what_is_deleted_by_an_object_lock_that_nobody_passes(s3_root: str) -> None:
    def look(bucket: str, password: str = PASSWORD) -> ProtectionFinding:
        asked = Protection(method=ProtectionMethod.S3, url=s3_root, bucket=bucket, username=USER)
        return object_lock.check_object_lock(asked, password, ReachableTargets())

    for bucket, rule in (
        ("days", _RETENTION.format("COMPLIANCE", "Days", 14, "Days")),
        ("years", _RETENTION.format("COMPLIANCE", "Years", 2, "Years")),
        ("passed", _RETENTION.format("GOVERNANCE", "Days", 14, "Days")),
        ("empty", ""),
        ("plain", None),
    ):
        lock_objects(s3_root, bucket, rule)
    assert look("days") == ProtectionFinding(holds=True, days=14)
    assert look("years") == ProtectionFinding(holds=True, days=730)
    for bucket, words in (
        ("passed", "has the mode GOVERNANCE, which may be passed"),
        ("empty", "keeps nothing by default"),
        ("plain", "has no object lock"),
    ):
        found = look(bucket)
        assert found.holds is False
        assert f"{s3_root}/{bucket} " in found.problem
        assert words in found.problem
    for bucket, password, words in (
        ("absent", PASSWORD, "NoSuchBucket): correct Bucket, or make the bucket"),
        ("days", "wrong", "refused to read the bucket's object lock (403, SignatureDoesNotMatch)"),
    ):
        with pytest.raises(UnansweredError) as caught:
            look(bucket, password)
        assert words in caught.value.message


def answering(body: bytes, status: str = "200 OK") -> Any:
    """A server that says that, whatever it is asked."""

    def answer(environ: Any, start_response: Any) -> list[bytes]:
        start_response(status, [("Content-Type", "application/xml")])
        return [body]

    return answer


def s3_size(url: str) -> int | None:
    asked = Probe(method=ProbeMethod.S3, url=url, bucket="vault", prefix="{tenant}/", username=USER)
    return s3.measure(asked, PASSWORD, "vault", "acme/")


def test_a_list_that_goes_round_in_circles_is_given_up() -> None:
    page = (
        b"<ListBucketResult><Contents><Size>5</Size></Contents><IsTruncated>true</IsTruncated>"
        b"<NextContinuationToken>again</NextContinuationToken></ListBucketResult>"
    )
    with serving(answering(page)) as url, pytest.raises(UnansweredError, match="how its list"):
        s3_size(url)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"<Error><Code>SlowDown</Code></Error>", "is 'Error', expected 'ListBucketResult'"),
        (b"<html><body>Log on</body></html>", "is 'html', expected 'ListBucketResult'"),
        (b"<a><Contents><Size>5</Size></Contents></a>", "is 'a', expected 'ListBucketResult'"),
        (b"<ListBucketResult/>", "whether its list of .* is whole"),
        (
            b"<ListBucketResult><IsTruncated>perhaps</IsTruncated></ListBucketResult>",
            "whether its list of .* is whole",
        ),
        (
            b"<ListBucketResult><IsTruncated>false</IsTruncated><Contents/></ListBucketResult>",
            "how large an object is",
        ),
        (b"", "no sound XML"),
    ],
)
def test_what_is_no_whole_list_of_a_bucket_is_no_figure(body: bytes, reason: str) -> None:
    with serving(answering(body)) as url, pytest.raises(UnansweredError, match=reason):
        s3_size(url)


def test_a_bucket_without_an_object_of_the_tenant_holds_nothing() -> None:
    body = (
        b'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><KeyCount>0</KeyCount>'
        b"<IsTruncated> false </IsTruncated></ListBucketResult>"
    )
    with serving(answering(body)) as url:
        assert s3_size(url) == 0


@pytest.mark.parametrize(
    "body", [b"<Error><Code>SlowDown</Code></Error>", b"<html><Days>30</Days></html>"]
)
def test_what_is_no_object_lock_configuration_says_nothing_of_the_lock(body: bytes) -> None:
    with serving(answering(body)) as url, pytest.raises(UnansweredError, match="expected 'Object"):
        object_lock.check_object_lock(
            Protection(method=ProtectionMethod.S3, url=url, bucket="vault", username=USER),
            PASSWORD,
            ReachableTargets(),
        )


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'<multistatus xmlns="DAV:"/>', "says nothing of"),
        (b'<error xmlns="DAV:"/>', "is 'error', expected 'multistatus'"),
        (b"<html><body>Log on</body></html>", "is 'html', expected 'multistatus'"),
    ],
)
def test_what_names_no_file_is_no_list_of_a_collection(body: bytes, reason: str) -> None:
    def begun(environ: Any, start_response: Any) -> list[bytes]:
        start_response("207 Multi-Status", [("Content-Type", "application/xml")])
        return [BEGUN + b"</multistatus>" if environ["HTTP_DEPTH"] == "0" else body]

    for answers in (answering(body, "207 Multi-Status"), begun):
        with serving(answers) as url:
            assert reason in refusal(url).message


def test_a_share_that_fails_unforeseen_fails_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail_for_one(_manager: object, _batch: object, share: Share, _limits: object) -> Any:
        if share.subject.name == "odd":
            raise RuntimeError("secret")
        return 5, None

    monkeypatch.setattr(measuring, "_measure_one", fail_for_one)
    shares = tuple(Share(uuid4(), Subject(name, uuid4())) for name in ("one", "odd", "other"))
    batch = Batch(uuid4(), Probe(method=ProbeMethod.WEBDAV), "", shares)
    one, odd, other = measuring.measure(cast(Manager, None), batch, Limits())
    assert (one.used_bytes, other.used_bytes) == (5, 5)
    assert odd.used_bytes is None
    assert "fault" in odd.warning
    assert "secret" not in odd.warning
