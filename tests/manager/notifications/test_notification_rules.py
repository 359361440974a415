"""When is who told of what, where may a program be, and what does a mail say?"""

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from cloudgate.errors import InvalidRequestError
from cloudgate.manager.notifications import mail, rules, webhooks
from cloudgate.manager.notifications.outbox import Due
from cloudgate.manager.notifications.rules import Audience, Condition, Kind, Severity
from cloudgate.manager.notifications.worker import MOST_AT_ONCE, MOST_OF_TENANTS, has_place
from cloudgate.manager.settings.outgoing import MailServer, OutgoingSettings, mail_server

NOON = datetime(2030, 6, 5, 12, 0, tzinfo=UTC)
SITE, OTHER, TENANT = UUID(int=1), UUID(int=2), UUID(int=3)
EVENT = {
    "Id": "1",
    "Event": "QuotaLevel",
    "Severity": "warning",
    "Cleared": False,
    "Time": "2030-06-05T12:00:00Z",
    "ObjectName": "<b>acme</b>",
    "BackupServer": None,
    "Message": "<script>alert(1)</script> 80 % $are used",
}
SERVER = MailServer(host="mail.example", port=587, sender="cloudgate@provider.example")


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2030-06-{text}:00+00:00")


@pytest.mark.parametrize(
    ("now", "quiet", "digest", "due"),
    [
        ("05T12:00", ("", ""), 0, "05T12:00"),
        ("05T23:00", ("22:00", "06:30"), 0, "06T06:30"),
        ("05T03:00", ("22:00", "06:30"), 0, "05T06:30"),
        ("05T06:30", ("22:00", "06:30"), 0, "05T06:30"),
        ("05T22:00", ("22:00", "06:30"), 0, "06T06:30"),
        ("05T12:30", ("12:00", "13:00"), 0, "05T13:00"),
        ("05T13:00", ("12:00", "13:00"), 0, "05T13:00"),
        ("05T12:10", ("", ""), 60, "05T13:00"),
        ("05T12:00", ("", ""), 60, "05T13:00"),
        ("05T12:10", ("", ""), 1440, "06T00:00"),
        ("05T21:30", ("22:00", "06:00"), 60, "06T06:00"),
    ],
)
def test_what_is_not_critical_waits_for_the_end_of_digests_and_of_quiet_hours(
    now: str, quiet: tuple[str, str], digest: int, due: str
) -> None:
    assert rules.due_at(at(now), Severity.WARNING, quiet, digest) == at(due)
    assert rules.due_at(at(now), Severity.CRITICAL, quiet, digest) == at(now)


def test_pauses_double_up_to_an_hour() -> None:
    pauses = [
        rules.delivery_pause(attempts).total_seconds() for attempts in (1, 2, 3, 8, 9, 10_000)
    ]
    assert pauses == [15, 30, 60, 1920, 3600, 3600]


def condition(kind: Kind, **more: object) -> Condition:
    said = {"subject": "s", "name": "n", "object_type": "CloudGateway", "text": "t", **more}
    return Condition(kind=kind, **said)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("audience", "told", "hears"),
    [
        (Audience(role="Portal Administrator"), {}, True),
        (Audience(role="Portal User"), {}, True),
        (Audience(role="Portal User"), {"object_type": "Manager"}, False),
        (Audience(role="Portal Administrator"), {"object_type": "Manager"}, True),
        (Audience(role="Portal User", site_id=SITE), {"site_id": SITE}, True),
        (Audience(role="Portal User", site_id=SITE), {"site_id": OTHER}, False),
        (Audience(role="Portal User", site_id=SITE), {}, True),
        (Audience(role="Portal User", events=["GatewayFull"]), {}, False),
        (Audience(tenant_id=TENANT), {"tenant_id": TENANT}, False),
        (Audience(tenant_id=TENANT), {"kind": Kind.QUOTA_LEVEL, "tenant_id": TENANT}, True),
        (Audience(tenant_id=TENANT), {"kind": Kind.QUOTA_LEVEL, "tenant_id": OTHER}, False),
        (Audience(tenant_id=TENANT), {"kind": Kind.QUOTA_LEVEL}, False),
    ],
)
def test_operators_hear_by_role_and_site_and_tenants_of_themselves(
    audience: Audience, told: dict[str, object], hears: bool
) -> None:
    assert audience.hears_of(condition(**{"kind": Kind.GATEWAY_DOWN, **told})) is hears  # type: ignore[arg-type]


def test_what_is_so_is_read_back_as_it_was_kept() -> None:
    kept = condition(Kind.QUOTA_LEVEL, site="s", site_id=SITE, tenant_id=TENANT)
    assert rules.from_document(kept.document()) == kept


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/",
        "https://",
        "https://user:password@hooks.example/",
        "https://hooks.example:port/",
        "https://hooks.example/a b",
        "https://[::1",
        "ftp://hooks.example/",
    ],
)
def test_what_is_no_address_of_a_program_is_refused(url: str) -> None:
    with pytest.raises(InvalidRequestError, match="expected the HTTPS address"):
        webhooks.check_url(url, OutgoingSettings())


def test_a_call_is_signed_as_standard_webhooks_has_it() -> None:
    # The example of its specification.
    secret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
    made = webhooks.signature(
        secret,
        "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
        1649367553,
        b'{"email":"test@example.com","username":"test_user"}',
    )
    assert made == "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="
    assert len(base64.b64decode(webhooks.new_secret().removeprefix("whsec_"))) == 32


def test_a_mail_has_plain_text_and_html_in_which_nothing_is_markup() -> None:
    made = mail.message(SERVER, {}, "ops@provider.example", [EVENT], NOON)
    plain, markup = made.get_body(("plain",)), made.get_body(("html",))
    assert plain is not None
    assert markup is not None
    assert "<script>alert(1)</script> 80 % $are used" in plain.get_content()
    assert "<script>" not in markup.get_content()
    assert "&lt;script&gt;" in markup.get_content()
    assert made["Auto-Submitted"] == "auto-generated"
    again = mail.message(SERVER, {}, "ops@provider.example", [EVENT], NOON + timedelta(hours=1))
    assert again["Message-ID"] == made["Message-ID"], "programs know what they have twice"
    several = mail.message(SERVER, {}, "ops@provider.example", [EVENT, EVENT | {"Id": "2"}], NOON)
    assert str(several["Subject"]).startswith("Cloudgate: 2 messages: ")
    assert several["Message-ID"] != made["Message-ID"]


def test_a_provider_has_its_own_templates_and_hears_what_is_wrong_with_them(tmp_path: Path) -> None:
    (tmp_path / "subject.txt").write_text("Example Ltd: $title\nX-Injected: yes")
    (tmp_path / "event.html").write_text("<li>$message costs $$1</li>")
    (tmp_path / "mail.html~").write_text("$nothing")
    own = mail.read_templates(tmp_path)
    made = mail.message(SERVER, own, "ops@provider.example", [EVENT], NOON)
    assert str(made["Subject"]).startswith("Example Ltd: ")
    assert made["X-Injected"] is None
    markup = made.get_body(("html",))
    assert markup is not None
    assert "costs $1</li>" in markup.get_content()
    for wrong in ("$nothing", "$", "${"):
        (tmp_path / "event.html").write_text(wrong)
        with pytest.raises(InvalidRequestError, match=r"event\.html has a placeholder"):
            mail.read_templates(tmp_path)
    with pytest.raises(InvalidRequestError, match="--mail-templates"):
        mail.read_templates(tmp_path / "elsewhere")


def test_a_mail_server_is_named_by_its_address_and_always_has_tls() -> None:
    found = mail_server("smtp://ops%40x@mail.example", "a@b.example", "secret", "")
    assert (found.host, found.port, found.user, found.starts_plain) == (
        *("mail.example", 587, "ops@x"),
        True,
    )
    assert "secret" not in repr(found)
    found = mail_server("smtps://mail.example", "a@b.example", "", "")
    assert (found.port, found.starts_plain) == (465, False)
    for url, sender in (
        ("http://mail.example", "a@b.example"),
        ("mail.example", "a@b.example"),
        ("smtp://u:password@mail.example", "a@b.example"),
        ("smtp://mail.example:no", "a@b.example"),
        ("smtp://mail.example", ""),
        ("smtp://mail.example", "a@b\r\nBcc: c@d"),
    ):
        with pytest.raises(InvalidRequestError, match=r"--(smtp|mail-from)"):
            mail_server(url, sender, "", "")


def test_tenants_have_half_of_the_places_and_each_of_them_one() -> None:
    own, acme, other = None, uuid4(), uuid4()

    def due(tenant: UUID | None) -> Due:
        return Due(uuid4(), tenant)

    def told(*tenants: UUID | None) -> list[Due]:
        return [due(each) for each in tenants]

    assert has_place(due(acme), told())
    assert not has_place(due(acme), told(acme)), "one call of a tenant at a time"
    assert has_place(due(other), told(acme, own))
    many = [uuid4() for _ in range(MOST_OF_TENANTS)]
    assert not has_place(due(acme), told(*many))
    assert has_place(due(own), told(*many)), "the provider's own are not kept waiting"
    assert not has_place(due(own), told(*[own] * MOST_AT_ONCE))
