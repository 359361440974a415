"""Is who should be told of what happens told, once, whatever breaks in between?"""

import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import select, text

from cloudgate.api.server import ServerOptions
from cloudgate.errors import UnavailableError
from cloudgate.manager.jobs.backup_schedule import WATCHING, Schedule
from cloudgate.manager.notifications import mail, rules, webhooks
from cloudgate.manager.notifications.rules import RULES, Kind, delivery_pause
from cloudgate.manager.quotas.operations import keep_use
from cloudgate.manager.security.sealed_files import SealingSecret
from cloudgate.manager.settings.outgoing import MailServer, OutgoingSettings, networks
from cloudgate.manager.storage.marks import LAST_BACKUP_AT, put_mark
from cloudgate.manager.storage.migrations import newest_revision
from cloudgate.manager.storage.tables import CloudTenant, TenantResource
from cloudgate.protocol import Figures, GatewayState, Guess
from cloudgate.values import months
from tests.support.certificates.brought import Made, pem_of
from tests.support.programs.notification_receivers import (
    Mailbox,
    Program,
    is_signed,
    mail_server,
    server_context,
    silent_server,
    talking_server,
)
from tests.support.running.host import ScriptedHost
from tests.support.running.manager import RunningManager, finished, running_manager
from tests.support.waiting import PATIENCE_SECONDS, until

RECEIVERS = "/notifications/receivers"
MB = 1024 * 1024
NOW = datetime(2030, 1, 1, tzinfo=UTC)
MANY = (
    "Many wrong passwords of acme were tried at gateways within ten minutes. A program may have an"
    " old one; or somebody guesses, and is slowed."
)


@dataclass
class Scene:
    """A manager that sends mail and calls programs, and those who are told."""

    running: RunningManager
    program: Program
    server: MailServer
    box: Mailbox
    secrets: dict[str, str] = field(default_factory=dict)
    logged_on: httpx2.Client | None = None

    @property
    def client(self) -> httpx2.Client:
        if self.logged_on is None:
            self.logged_on = self.running.logged_on()
        return self.logged_on

    def add(self, name: str, **said: Any) -> str:
        """Have somebody told: the program, unless a mail address is given. Its path."""
        usual = {"Kind": "Webhook", "Address": self.program.url}
        usual["CaFile"] = self.program.authority_pem
        if "Address" in said and "@" in said["Address"]:
            usual = {"Kind": "Email"}
        answer = self.client.post(RECEIVERS, json={"Name": name, **usual, **said})
        assert answer.status_code == 201, answer.text
        self.secrets[name] = answer.json().get("Secret", "")
        return str(answer.headers["Location"])

    def later(self, **more: float) -> None:
        """Time passes."""
        self.running.clock.ahead += timedelta(**more)
        self.logged_on = None

    def look(self) -> None:
        """Have the manager see what is so, and tell it, now and not only every few seconds."""
        self.running.wake()

    def until(self, holds: Any) -> None:
        def looked() -> bool:
            self.look()
            return bool(holds())

        until(looked, said=lambda: [self.log(), self.program.kinds(), self.box.subjects()])

    def log(self) -> list[dict[str, Any]]:
        """What was told, the newest first."""
        found = self.client.get("/notifications/deliveries").raise_for_status().json()
        listed: list[dict[str, Any]] = found["NotificationDeliveries"]
        return listed

    def warnings(self) -> str:
        return self.client.get("/warnings").text

    def warn_of_backup(self, text: str) -> None:
        self.running.manager.warn(WATCHING, text)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with ExitStack() as stack:
        server, box = stack.enter_context(mail_server(tmp_path))
        program = stack.enter_context(Program(tmp_path))
        outgoing = OutgoingSettings(mail=server, networks=networks(["127.0.0.0/8", "::1/128"]))
        running = stack.enter_context(running_manager(tmp_path / "data", outgoing=outgoing))
        yield Scene(running, program, server, box)


def tenant_of(scene: Scene, name: str, vault: dict[str, Any]) -> str:
    client = scene.client
    quota = {"Name": "q", "RepositoryUid": vault["UID"], "QuotaMb": 10240}
    spec = {"Name": name, "Password": "secret", "Resources": {"BackupResources": [quota]}}
    task = finished(client, client.post("/cloud/tenants", json=spec).json())
    return str(task["Links"][1]["Href"]).partition("?")[0]


def use(scene: Scene, tenant: str, used_mb: int) -> None:
    with scene.running.manager.changing() as work:
        resource = work.session.scalars(
            select(TenantResource).join(CloudTenant).where(CloudTenant.name == tenant)
        ).one()
        keep_use(work, resource, used_mb * MB)


def test_a_database_that_a_newer_release_has_brought_forward_is_told_to_administrators(
    scene: Scene,
) -> None:
    scene.add("pager", Events={"Events": ["SchemaWaiting"]})
    now = newest_revision()
    with scene.running.manager.changing() as work:
        work.session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    scene.until(lambda: scene.program.kinds() == [("SchemaWaiting", False)])
    (told,) = scene.program.events()
    assert f"to revision 9999, and this manager works with {now}" in told["Message"]
    with scene.running.manager.changing() as work:
        work.session.execute(text(f"UPDATE alembic_version SET version_num = '{now}'"))
    scene.until(lambda: scene.program.kinds()[1:] == [("SchemaWaiting", True)])


def test_a_gateway_that_is_away_is_told_once_by_mail_and_call_and_so_is_its_return(
    scene: Scene,
) -> None:
    host = ScriptedHost(scene.running)
    scene.running.clients.callback(host.close)
    spec = {"ServerHostName": "gw1.example", "NetworkType": "Direct"}
    made = scene.client.post("/cloud/gateways", json=spec).json()
    host.obey()
    finished(scene.client, made)
    scene.add("ops", Address="ops@provider.example", Events={"Events": ["GatewayDown"]})
    scene.add(
        "pager",
        Events={"Events": ["GatewayDown", "GatewayFull"]},
        QuietFrom="00:00",
        QuietUntil="23:59",
    )

    def is_told_in_time() -> bool:
        if not scene.box.mails:
            scene.later(seconds=35)  # the host says nothing meanwhile
        return bool(scene.box.mails and scene.program.calls)

    scene.until(is_told_in_time)
    assert scene.running.clock.ahead > RULES[Kind.GATEWAY_DOWN].after
    (subject,) = scene.box.subjects()
    assert subject.startswith("Cloudgate: Gateway gw1.example lets no tenants in: it is Offline.")
    headers, body = scene.program.calls[0]
    assert is_signed(headers, body, scene.secrets["pager"])
    assert not is_signed(headers, body + b" ", scene.secrets["pager"])
    host.report(GatewayState.LISTENING).raise_for_status()
    scene.until(lambda: len(scene.box.mails) == 2)
    scene.until(lambda: len(scene.program.events()) == 2)
    assert scene.program.kinds() == [("GatewayDown", False), ("GatewayDown", True)]
    assert scene.box.subjects()[1] == "Cloudgate: Gateway gw1.example lets tenants in again."


def test_a_program_that_fails_is_called_again_later_and_longer_for_a_day_and_no_more(
    scene: Scene,
) -> None:
    path = scene.add("hook", Events={"Events": ["BackupOverdue"]})
    scene.program.status = 302
    scene.warn_of_backup("A backup of the manager is overdue.")
    scene.until(lambda: scene.program.calls)
    scene.until(lambda: "status 302" in scene.warnings())
    (told,) = scene.log()
    assert (told["State"], told["Attempts"]) == ("Waiting", 1)
    for attempts in (1, 2, 3):
        due = datetime.fromisoformat(scene.log()[0]["NextTime"]) - scene.running.clock()
        assert due <= delivery_pause(attempts)
        scene.later(seconds=delivery_pause(attempts).total_seconds() + 1)
        scene.until(lambda: scene.log()[0]["Attempts"] > attempts)  # noqa: B023  called at once
    scene.later(hours=-3)  # the clock is put back, and it waits no longer than ever
    scene.until(lambda: scene.log()[0]["Attempts"] > 4)
    scene.later(hours=3)
    scene.program.status = 204
    scene.later(hours=1)
    scene.until(lambda: scene.log()[0]["State"] == "Delivered")
    identifiers = {dict(headers)["webhook-id"] for headers, _ in scene.program.calls}
    assert len(identifiers) == 1, "a program knows what it has twice"
    assert "hook cannot be told" not in scene.warnings()
    scene.program.status = 500
    scene.warn_of_backup("")
    scene.until(lambda: len(scene.log()) == 2 and scene.log()[0]["Attempts"] == 1)
    scene.later(days=1, seconds=1)
    scene.until(lambda: scene.log()[0]["State"] == "GivenUp")
    assert scene.log()[0]["Problem"] == "It answered with status 500, and not with 200 to 299."
    scene.client.delete(path).raise_for_status()
    assert "hook cannot be told" not in scene.warnings()


def test_nothing_is_lost_or_told_twice_when_the_manager_is_restarted(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with mail_server(tmp_path) as (server, box), ExitStack() as stack:
        program = stack.enter_context(Program(tmp_path))
        usual = OutgoingSettings(mail=server, networks=networks(["127.0.0.1", "::1"]))
        box.refuses = True
        with running_manager(data, outgoing=usual) as running:
            scene = Scene(running, program, server, box)
            scene.add("ops", Address="ops@provider.example", Events={"Events": ["LeaseEnding"]})
            end = (datetime.now(UTC) + timedelta(days=5)).isoformat()
            spec = {"Name": "acme", "Password": "secret", "LeaseExpirationDate": end}
            finished(scene.client, scene.client.post("/cloud/tenants", json=spec).json())
            scene.until(lambda: scene.log() and scene.log()[0]["Attempts"])
            assert "451" in scene.log()[0]["Problem"]
        box.refuses = False
        with running_manager(data, site=None, outgoing=usual) as running:
            scene = replace(scene, running=running, logged_on=None)
            scene.later(minutes=1)
            scene.until(lambda: box.mails)
            scene.until(lambda: scene.log()[0]["State"] == "Delivered")
            scene.later(days=4)
            scene.until(lambda: len(box.mails) == 2)
            scene.later(days=1)
            scene.add("again", Address="ops@provider.example")
            scene.client.post(f"{RECEIVERS}/{_id_of(scene, 'again')}?action=test")
            scene.until(lambda: len(box.mails) == 3)
        assert [re.sub(r", at .*", "", each) for each in box.subjects()] == [
            "Cloudgate: The lease of acme ends within seven days",
            "Cloudgate: The lease of acme ends within one day",
            "Cloudgate: This is a test: again is told of what happens.",
        ], "and nothing that it has ended: whoever needs that has an end of it already"


@pytest.mark.parametrize("newest", ["of three days ago", "none"])
def test_what_is_still_so_after_a_restart_is_not_said_to_be_over(
    tmp_path: Path, newest: str
) -> None:
    folder = tmp_path / "backups"
    secret = SealingSecret(b"k" * 32, is_passphrase=False)
    schedule = Schedule(folder, timedelta(hours=24), 2, secret)
    with Program(tmp_path) as program, ExitStack() as stack:
        outgoing = OutgoingSettings(networks=networks(["127.0.0.1", "::1"]))
        data = tmp_path / "data"
        more: dict[str, Any] = {
            "outgoing": outgoing,
            "extras": ServerOptions(backups=(data, schedule)),
        }
        server, box = stack.enter_context(mail_server(tmp_path))
        wanted = ["BackupOverdue", "NeedsALook", "GatewayFull"]
        with running_manager(data, **more) as running:
            scene = Scene(running, program, server, box)
            gateway = ScriptedHost(running)
            running.clients.callback(gateway.close)
            spec = {"ServerHostName": "gw1.example", "NetworkType": "Direct"}
            made = scene.client.post("/cloud/gateways", json=spec).json()
            gateway.obey()
            finished(scene.client, made)
            figures = Figures(run="1", uptime_seconds=1.0, full={"memory": 0.95})
            gateway.report(figures=figures).raise_for_status()
            scene.add("hook", Events={"Events": wanted})
            if newest != "none":
                with running.manager.changing() as work:
                    made_at = work.now - timedelta(days=3)
                    put_mark(work.session, LAST_BACKUP_AT, made_at.isoformat())
            scene.later(hours=30)

            def is_told() -> bool:
                if ("GatewayFull", False) not in program.kinds():
                    scene.later(minutes=6)  # from look to look
                return {kind for kind, _ in program.kinds()} == set(wanted)

            scene.until(is_told)
        with running_manager(data, site=None, ahead=running.clock.ahead, **more) as running:
            scene = replace(scene, running=running, logged_on=None)
            for minutes, name in ((0, "one"), (11, "two")):
                scene.later(minutes=minutes)
                running.manager.warn(name, f"{name} is not well.")
                scene.until(lambda: f"manager: {name} is not well." in messages(program))  # noqa: B023  called at once
            assert [kind for kind, is_over in program.kinds() if is_over] == []
            assert program.kinds().count(("BackupOverdue", False)) == 1, "nor is it told again"
            with running.manager.changing() as work:
                put_mark(work.session, LAST_BACKUP_AT, work.now.isoformat())
            scene.until(lambda: ("BackupOverdue", True) in program.kinds())
            assert ("GatewayFull", True) not in program.kinds()


def messages(program: Program) -> list[str]:
    return [each["Message"] for each in program.events()]


def _id_of(scene: Scene, name: str) -> str:
    found = scene.client.get(RECEIVERS).json()["Refs"]
    return next(str(each["Href"]).rpartition("/")[2] for each in found if each["Name"] == name)


def test_a_tenant_is_told_of_its_own_quota_and_of_nobody_elses(scene: Scene) -> None:
    client = scene.client
    vault = client.post("/repositories", json={"Name": "vault", "Endpoint": "v.example:1"}).json()
    acme = tenant_of(scene, "acme", vault)
    tenant_of(scene, "other", vault)
    uid = client.get(acme).json()["UID"]
    scene.add("acme itself", CloudTenantUid=uid, Address="it@acme.example")
    scene.add("ops", Events={"Events": ["QuotaLevel", "WrongPasswords"]})
    for used in (79, 80, 85, 96, 90):
        use(scene, "acme", used * 10240 // 100 + 1)
        use(scene, "other", used * 10240 // 100 + 1)
        wanted = {79: 0, 80: 2, 85: 2, 96: 4, 90: 4}[used]
        scene.until(lambda: len(scene.program.events()) == wanted)  # noqa: B023  called at once
    use(scene, "acme", 10)
    host = ScriptedHost(scene.running)
    scene.running.clients.callback(host.close)
    now = scene.running.clock()
    address = "192.0.2.9"
    guess = Guess(name="acme", address=address, count=25, first_at=now, last_at=now)
    host.report(GatewayState.ABSENT, guesses=(guess,)).raise_for_status()
    scene.until(lambda: len(scene.program.events()) == 6)

    def own() -> list[dict[str, Any]]:
        return [each for each in scene.log() if each["Receiver"] == "acme itself"]

    scene.until(lambda: [each["State"] for each in own()] == ["Delivered"] * 4)
    assert sorted(each["Message"].partition(" are used")[0] for each in own()) == [
        MANY,
        "acme's quota q is below all levels of warning again.",
        "acme's quota q: 80 % of the storage quota",
        "acme's quota q: 95 % of the storage quota",
    ]
    assert {str(each["To"]) for each in scene.box.mails} == {"it@acme.example"}


def test_a_mail_server_that_hangs_holds_up_nobody_else_and_digests_are_one_mail(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail, "ANSWER_SECONDS", 1.0)
    with silent_server() as port:
        hangs = replace(scene.server, port=port)
        outgoing = replace(scene.running.manager.outgoing, mail=hangs)
        object.__setattr__(scene.running.manager, "outgoing", outgoing)
        look = {"Events": {"Events": ["NeedsALook"]}}
        scene.add("ops", Address="ops@provider.example", **look)
        scene.add("daily", Address="daily@provider.example", DigestMinutes=1440, **look)
        scene.add("hook", **look)
        scene.running.manager.warn("one", "One thing fails.")
        scene.until(lambda: scene.program.calls)
        scene.running.manager.warn("two", "Another one fails.")
        scene.until(lambda: len(scene.program.events()) >= 2)
        scene.until(lambda: "did not answer within 1 seconds" in scene.warnings())
    working = replace(scene.running.manager.outgoing, mail=scene.server)
    object.__setattr__(scene.running.manager, "outgoing", working)
    scene.later(days=1)

    def digest() -> list[str]:
        return [str(each["Subject"]) for each in scene.box.mails if "daily" in str(each["To"])]

    scene.until(digest)
    assert re.fullmatch(r"Cloudgate: [23] messages: manager: One thing fails\.", digest()[0])


def test_who_is_disabled_is_told_nothing_of_what_waited_also_when_enabled_again(
    scene: Scene,
) -> None:
    look = {"Events": {"Events": ["NeedsALook"]}}
    daily = scene.add("daily", DigestMinutes=1440, **look)
    scene.running.manager.warn("one", "One thing fails.")
    scene.until(scene.log)
    off, on = {"Enabled": False}, {"Enabled": True}
    scene.client.put(daily, json=off).raise_for_status()
    scene.running.manager.warn("two", "Another one fails.")
    other = scene.add("other", DigestMinutes=1440, **look)
    scene.until(lambda: len(scene.log()) == 2)
    scene.client.put(daily, json=on).raise_for_status()
    scene.later(days=1)
    scene.until(lambda: scene.log()[0]["State"] == "Delivered")
    told = {each["Receiver"]: (each["State"], each.get("Problem")) for each in scene.log()}
    assert told == {
        "daily": ("GivenUp", "The receiver was disabled before it was told."),
        "other": ("Delivered", None),
    }
    assert [each["Message"] for each in scene.program.events()] == ["manager: Another one fails."]
    scene.client.delete(other).raise_for_status()
    scene.running.manager.warn("three", "A third one fails.")
    scene.until(lambda: len(scene.log()) == 2)
    scene.later(days=1)
    scene.until(lambda: len(scene.program.events()) == 2)


def test_a_program_that_fails_is_called_and_complained_about_no_more_once_it_is_disabled(
    scene: Scene,
) -> None:
    hook = scene.add("hook", Events={"Events": ["BackupOverdue"]})
    scene.program.status = 500
    scene.warn_of_backup("A backup of the manager is overdue.")
    scene.until(lambda: "hook cannot be told" in scene.warnings())
    scene.client.put(hook, json={"Enabled": False}).raise_for_status()
    scene.until(lambda: "hook cannot be told" not in scene.warnings())
    assert scene.log()[0]["State"] == "GivenUp"
    called = len(scene.program.calls)
    scene.add("other", Events={"Events": ["NeedsALook"]})
    scene.program.status = 204
    scene.later(hours=2)
    scene.running.manager.warn("one", "One thing fails.")
    scene.until(lambda: len(scene.program.calls) > called)
    assert "BackupOverdue" not in [kind for kind, _ in scene.program.kinds()[called:]]


def test_nobody_complains_of_a_receiver_that_has_gone_with_its_tenant(scene: Scene) -> None:
    client = scene.client
    vault = client.post("/repositories", json={"Name": "vault", "Endpoint": "v.example:1"}).json()
    acme = tenant_of(scene, "acme", vault)
    scene.add("acme itself", CloudTenantUid=client.get(acme).json()["UID"])
    scene.program.status = 500
    use(scene, "acme", 10240)
    scene.until(lambda: "acme itself cannot be told" in scene.warnings())
    finished(client, client.delete(acme).json())
    scene.until(lambda: "acme itself cannot be told" not in scene.warnings())


def test_while_one_kind_cannot_be_seen_the_others_are_told_and_nothing_of_it_is_over(
    scene: Scene,
) -> None:
    client = scene.client
    vault = client.post("/repositories", json={"Name": "vault", "Endpoint": "v.example:1"}).json()
    tenant_of(scene, "acme", vault)
    scene.add("ops", Events={"Events": ["EgressLevel", "BackupOverdue"]})

    def keep_egress_quota(quota: Any) -> None:
        with scene.running.manager.changing() as work:
            tenant = work.session.scalars(select(CloudTenant)).one()
            tenant.egress_month, tenant.egress_bytes = months.month_of(work.now), MB
            tenant.limits = {"egress_quota_mb": quota}

    keep_egress_quota(1)
    scene.until(lambda: scene.program.kinds() == [("EgressLevel", False)])
    keep_egress_quota("many")
    scene.until(lambda: "Nobody is told of EgressLevel, as it cannot be seen" in scene.warnings())
    scene.warn_of_backup("A backup of the manager is overdue.")
    scene.until(lambda: scene.program.kinds()[1:] == [("BackupOverdue", False)])
    keep_egress_quota(1)
    scene.until(lambda: "Nobody is told of" not in scene.warnings())
    keep_egress_quota(1000)
    scene.until(lambda: scene.program.kinds()[2:] == [("EgressLevel", True)])


def test_nothing_is_sent_where_the_mail_server_has_no_tls_or_is_another_or_knows_another_password(
    scene: Scene, tmp_path: Path
) -> None:
    made = mail.message(scene.server, {}, "ops@provider.example", [_event()], datetime.now(UTC))
    (tmp_path / "other").mkdir()
    with mail_server(tmp_path / "other", offers_tls=False) as (plain, box):
        with pytest.raises(UnavailableError, match="offers no TLS"):
            mail.send(plain, made)
        assert not box.mails
    with pytest.raises(UnavailableError, match="cannot be trusted"):
        mail.send(replace(scene.server, authority_pem=""), made)
    with pytest.raises(UnavailableError, match="does not accept the password of cloudgate"):
        mail.send(replace(scene.server, password="wrong"), made)
    assert not scene.box.mails
    mail.send(scene.server, made)
    assert len(scene.box.mails) == 1


def _event() -> dict[str, Any]:
    return {
        "Id": "1",
        "Event": "Test",
        "Severity": "info",
        "Cleared": False,
        "Time": "2030-01-01T00:00:00Z",
        "ObjectName": "n",
        "BackupServer": None,
        "Message": "m",
    }


def test_what_was_told_and_cannot_be_written_down_is_not_told_again_and_that_is_shown(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "FIRST_PAUSE", timedelta(minutes=10))
    path = scene.add("hook", Events={"Events": ["BackupOverdue"]})
    with _nothing_written_down_of_deliveries(scene):
        scene.warn_of_backup("A backup of the manager is overdue.")
        scene.until(lambda: "hook was told of what happens, and that cannot" in scene.warnings())
    # Of that, too, somebody may be told who hears of all that needs a look.
    scene.add("other", Events={"Events": ["NeedsALook"]})
    scene.running.manager.warn("one", "One thing fails.")

    overdue, one = "manager: A backup of the manager is overdue.", "manager: One thing fails."

    def states() -> dict[str, str]:
        found = {each["Message"]: each["State"] for each in scene.log()}
        return {each: found[each] for each in (overdue, one) if each in found}

    scene.until(lambda: states() == {overdue: "Waiting", one: "Delivered"})
    assert scene.program.kinds().count(("BackupOverdue", False)) == 1
    scene.later(minutes=11)
    scene.until(lambda: states() == {overdue: "Delivered", one: "Delivered"})
    assert scene.program.kinds().count(("BackupOverdue", False)) == 1
    assert "hook was told" not in scene.warnings()
    with _nothing_written_down_of_deliveries(scene):
        scene.warn_of_backup("")
        scene.until(lambda: "hook was told of what happens, and that cannot" in scene.warnings())
    scene.client.delete(path).raise_for_status()
    scene.until(lambda: "hook was told" not in scene.warnings())


@contextmanager
def _nothing_written_down_of_deliveries(scene: Scene) -> Iterator[None]:
    refusal = "BEFORE UPDATE ON notification_deliveries BEGIN SELECT RAISE(FAIL, 'no'); END"
    with scene.running.manager.changing() as work:
        work.session.execute(text(f"CREATE TRIGGER refusal {refusal}"))
    yield
    with scene.running.manager.changing() as work:
        work.session.execute(text("DROP TRIGGER refusal"))


def test_a_password_that_is_not_ascii_is_said_as_utf_8(tmp_path: Path) -> None:
    made = mail.message(MailServer("h", 1, "a@b.example"), {}, "c@d.example", [_event()], NOW)
    with mail_server(tmp_path, password="Straße-7") as (server, box):
        mail.send(server, made)
        assert len(box.mails) == 1
        with pytest.raises(UnavailableError, match="does not accept the password of cloudgate"):
            mail.send(replace(server, password="Straße-8"), made)
    (tmp_path / "login").mkdir()
    with mail_server(tmp_path / "login", password="Straße-7", without=["PLAIN"]) as (server, box):
        with pytest.raises(UnavailableError, match="the user name or the password is not ASCII"):
            mail.send(server, made)
        assert not box.mails


def test_a_mail_server_that_knows_ascii_addresses_alone_is_said_to(tmp_path: Path) -> None:
    with mail_server(tmp_path, knows_utf8=False) as (server, box):
        made = mail.message(server, {}, "müller@d.example", [_event()], NOW)
        with pytest.raises(UnavailableError, match=r"\(SMTPUTF8\), .* or müller@d.example is one"):
            mail.send(server, made)
        assert not box.mails


@pytest.mark.parametrize("over_tls", [True, False])
def test_a_mail_is_given_up_in_its_time_also_where_bytes_keep_coming(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, over_tls: bool
) -> None:
    monkeypatch.setattr(mail, "DELIVERY_SECONDS", 1.0)
    with dripped(tmp_path, b"x", 0.02, over_tls=over_tls) as server:
        made = mail.message(server, {}, "it@d.example", [_event()], NOW)
        with pytest.raises(UnavailableError, match="did not take the mail within 1 seconds"):
            mail.send(server, made)


def test_a_mail_server_is_listened_to_no_longer_than_it_has_something_to_say(
    tmp_path: Path,
) -> None:
    with dripped(tmp_path, b"220-more\r\n" * 10_000, 0.0, over_tls=True) as server:
        made = mail.message(server, {}, "it@d.example", [_event()], NOW)
        with pytest.raises(UnavailableError, match="it says more than 64 KB"):
            mail.send(server, made)


@contextmanager
def dripped(
    folder: Path, piece: bytes, every_seconds: float, *, over_tls: bool
) -> Iterator[MailServer]:
    """A mail server whose first reply has no end."""
    made = Made("localhost")
    context = server_context(folder, made) if over_tls else None
    with talking_server(b"220-Hello", piece, every_seconds, context) as port:
        yield MailServer(
            host="localhost",
            port=port,
            sender="cloudgate@provider.example",
            starts_plain=not over_tls,
            authority_pem=pem_of(made.issuer),
        )


def test_a_call_is_given_up_in_its_time_also_where_bytes_keep_coming(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "ANSWER_SECONDS", 1.0)
    with Program(tmp_path) as program:
        program.dripping = threading.Event()
        whole = threading.Timer(PATIENCE_SECONDS, program.dripping.set)
        whole.start()
        secret, authority = webhooks.new_secret(), program.authority_pem
        hook = webhooks.Hook(program.url, secret, authority, lambda _: True)
        try:
            with pytest.raises(UnavailableError, match="did not answer within 1 seconds"):
                webhooks.call(hook, [_event()], NOW)
            assert not program.dripping.is_set()
        finally:
            whole.cancel()
            program.dripping.set()


def test_what_nobody_foresaw_is_a_reason_as_any_other(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = scene.add("ops", Address="ops@provider.example")
    broken = replace(scene.server, host="mail..example")
    outgoing = replace(scene.running.manager.outgoing, mail=broken)
    object.__setattr__(scene.running.manager, "outgoing", outgoing)
    answer = scene.client.post(f"{path}?action=test")
    assert answer.status_code == 503
    assert "that nobody foresaw (UnicodeError); the manager's log says" in answer.json()["Message"]
    scene.running.manager.warn("one", "One thing fails.")
    scene.until(lambda: "ops cannot be told of what happens: An error" in scene.warnings())
    scene.until(lambda: scene.log()[0]["Attempts"] == 1)


def test_a_program_inside_is_refused_by_address_and_where_a_name_leads_when_it_is_called(
    running: RunningManager, scene: Scene
) -> None:
    client = running.logged_on()
    for url in (
        "https://127.0.0.1/",
        "https://10.0.0.1/",
        "https://localhost/",
        "https://[::1]/",
        "https://169.254.169.254/latest/",
    ):
        spec = {"Name": "x", "Kind": "Webhook", "Address": url}
        answer = client.post(RECEIVERS, json=spec)
        assert answer.status_code == 400, url
        assert "inside of the provider's own network" in answer.json()["Message"]
    mailed = client.post(RECEIVERS, json={"Name": "x", "Address": "a@b.example"})
    assert "--smtp" in mailed.json()["Message"]
    # A name that led outside when it was given, and leads inside by now.
    hook = webhooks.Hook(
        scene.program.url,
        webhooks.new_secret(),
        scene.program.authority_pem,
        OutgoingSettings().may_be_called,
    )
    with pytest.raises(UnavailableError, match="localhost leads to what is an address inside"):
        webhooks.call(hook, [_event()], datetime.now(UTC))
    assert not scene.program.calls
    webhooks.call(replace(hook, allows=lambda _: True), [_event()], datetime.now(UTC))
    assert len(scene.program.calls) == 1


def test_receivers_are_changed_tried_and_removed_and_that_is_on_record(scene: Scene) -> None:
    client = scene.client
    path = scene.add("hook")
    assert scene.secrets["hook"].startswith("whsec_")
    shown = client.get(f"{path}?format=Entity").json()
    assert "Secret" not in shown
    assert (shown["Role"], shown["Events"]) == ("Portal Administrator", {"Events": []})
    change = {"QuietFrom": "22:00", "QuietUntil": "06:00", "DigestMinutes": 60, "Enabled": False}
    assert client.put(path, json=change).status_code == 204
    shown = client.get(f"{path}?format=Entity").json()
    assert {name: shown[name] for name in change} == change
    assert client.put(path, json=shown).status_code == 204, "what was shown may be sent back"
    for wrong, reason in (
        ({"QuietFrom": "25:00"}, "a time"),
        ({"QuietFrom": ""}, "belong together"),
        ({"DigestMinutes": 1441}, "a day"),
        ({"Events": {"Events": ["Nothing"]}}, "GatewayDown"),
    ):
        answer = client.put(path, json=wrong)
        assert (answer.status_code, reason in answer.text) == (400, True), answer.text
    again = client.post(RECEIVERS, json={"Name": "hook", "Address": "a@b.example"})
    assert "is there already" in again.json()["Message"]
    assert client.post(f"{path}?action=test").status_code == 204
    assert scene.program.kinds() == [("Test", False)]
    scene.program.status = 500
    failed = client.post(f"{path}?action=test")
    assert (failed.status_code, "status 500" in failed.json()["Message"]) == (503, True)
    assert [each["State"] for each in scene.log()] == ["GivenUp", "Delivered"]
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404
    done = [each.operation for each in scene.running.audited() if "Notification" in each.operation]
    assert done == [
        "CreateNotificationReceiver",
        "EditNotificationReceiver",
        "EditNotificationReceiver",
        "DeleteNotificationReceiver",
    ]
    text = "".join(str([each.before, each.after]) for each in scene.running.audited())
    assert scene.secrets["hook"] not in text
