"""What do the commands do? Asked of a real manager, as an operator would."""

import base64
import csv
import json
import stat
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from cloudgate.cli.commands import Call
from cloudgate.cli.connecting import connected
from cloudgate.cli.resources.cloud import usage as usage_command
from cloudgate.cli.settings import ConnectionSettings, connection
from cloudgate.protocol import GatewayState, Usage, UsageBatch
from tests.cli.conftest import Run
from tests.support.certificates.brought import Made
from tests.support.ports import free_port
from tests.support.programs.acme import acme_server, needs_pebble
from tests.support.running.host import ScriptedHost, obedient
from tests.support.running.manager import PASSWORD, RunningManager


def obeying(host: ScriptedHost, state: GatewayState = GatewayState.LISTENING) -> threading.Thread:
    """The host does, once, what it is told next."""
    if host.assignment is None:
        host.poll()
    reason = "Port 6180 is taken by nginx." if state is GatewayState.FAILED else ""
    thread = threading.Thread(target=host.obey, args=(state, reason))
    thread.start()
    return thread


def test_a_gateway_is_made_seen_edited_and_taken_away(cloudgate: Run, host: ScriptedHost) -> None:
    working = obeying(host)
    made = cloudgate("gateway", "create", "gw1.example", "--description", "first")
    working.join()
    assert made.exit_code == 0, made.output
    assert "gw1.example" in made.stdout
    assert "6180" in made.stdout

    listed = cloudgate("gateway", "list")
    header, row = listed.stdout.splitlines()
    assert header.split()[:5] == ["Name", "Enabled", "State", "Tunnels", "NetworkMode"]
    assert row.split()[:5] == ["gw1.example", "true", "Listening", "0", "Direct"]

    working = obeying(host)
    edited = cloudgate("gateway", "edit", "GW1.EXAMPLE", "--port", "7000", "-o", "json")
    working.join()
    assert json.loads(edited.stdout)["ExternalPort"] == 7000

    working = obeying(host)
    behind = ("--proxy-protocol-from", "192.0.2.0/24", "--proxy-protocol-from", "::1")
    edited = cloudgate("gateway", "edit", "gw1.example", *behind, "-o", "json")
    working.join()
    networks = json.loads(edited.stdout)["ProxyProtocolNetworks"]
    assert networks == {"Networks": ["192.0.2.0/24", "::1/128"]}
    working = obeying(host)
    edited = cloudgate("gateway", "edit", "gw1.example", "--no-proxy-protocol", "-o", "json")
    working.join()
    assert "ProxyProtocolNetworks" not in json.loads(edited.stdout)

    working = obeying(host, GatewayState.ABSENT)
    deleted = cloudgate("gateway", "delete", "gw1.example")
    working.join()
    assert deleted.exit_code == 0
    assert "Finished" in deleted.stdout
    assert len(cloudgate("gateway", "list").stdout.splitlines()) == 1
    assert "gw1.example" in cloudgate("server", "list").stdout


def test_a_task_that_fails_is_told_in_one_sentence_and_ends_with_status_1(
    cloudgate: Run, host: ScriptedHost
) -> None:
    working = obeying(host, GatewayState.FAILED)
    made = cloudgate("gateway", "create", "gw1.example")
    working.join()
    assert made.exit_code == 1
    assert made.stdout == ""
    assert made.stderr == "Error: Port 6180 is taken by nginx.\n"


def test_without_waiting_the_task_is_shown(cloudgate: Run, host: ScriptedHost) -> None:
    made = cloudgate("gateway", "create", host.name, "--no-wait", "--output", "json")
    task = json.loads(made.stdout)
    assert (task["State"], task["Operation"]) == ("Running", "CreateCloudGateway")
    assert task["TaskId"] in cloudgate("task", "list").stdout


@pytest.mark.usefixtures("host")
def test_a_tenant_gets_repositories_quotas_and_a_lease(cloudgate: Run, home: Path) -> None:
    (home / "acme").write_text("p4ss of acme\n")
    created = cloudgate("repository", "create", "vault", "--endpoint", "vault.example:8443")
    assert created.exit_code == 0, created.output
    cloudgate("repository", "create", "attic", "--endpoint", "attic.example:8443")

    made = cloudgate(
        "tenant",
        "create",
        "acme",
        "--password-file",
        str(home / "acme"),
        "--repository",
        "vault=50",
        "--lease",
        "2030-12-31",
        "--speed",
        "80",
        "--tunnels",
        "3",
        "--output",
        "json",
    )
    assert made.exit_code == 0, made.output
    assert "p4ss" not in made.output
    said = json.loads(made.stdout)
    limits = "ThrottlingSpeedLimit", "ThrottlingSpeedUnit", "MaxConcurrentTasks"
    assert [said[each] for each in limits] == [80, "Mbps", 3]

    assert cloudgate("tenant", "resource", "add", "acme", "attic").exit_code == 0
    listed = cloudgate("tenant", "list").stdout
    assert "vault 50 GB, attic 100 GB" in listed
    assert "2030-12-31" in listed

    assert cloudgate("tenant", "resource", "delete", "acme", "vault").exit_code == 0
    left = cloudgate("tenant", "resource", "list", "acme").stdout
    assert "vault" not in left
    assert "attic" in left

    changed = cloudgate("tenant", "edit", "acme", "--disable", "--no-lease", "-o", "json")
    tenant = json.loads(changed.stdout)
    assert tenant["Enabled"] is False
    for limit in ("1", "0"):
        changed = cloudgate("tenant", "edit", "acme", "--tunnels", limit, "-o", "json")
        assert json.loads(changed.stdout)["MaxConcurrentTasks"] == int(limit)
    assert cloudgate("tenant", "delete", "acme").exit_code == 0
    assert cloudgate("repository", "delete", "attic").stdout == "Deleted attic.\n"


@pytest.mark.usefixtures("host")
def test_a_tenant_and_a_user_get_networks_that_they_may_come_from(
    cloudgate: Run, running: RunningManager
) -> None:
    cloudgate("repository", "create", "vault", "--endpoint", "vault.example:8443")
    made = cloudgate(
        *("tenant", "create", "acme", "--generate-password", "--repository", "vault=50"),
        *("--network", "192.0.2.0/24", "--network", "2001:db8::/48", "-o", "json"),
    )
    assert made.exit_code == 0, made.output
    both = {"Networks": ["192.0.2.0/24", "2001:db8::/48"]}
    assert json.loads(made.stdout)["AllowedNetworks"] == both
    shown = cloudgate("tenant", "show", "acme").stdout
    assert all(each in shown for each in both["Networks"])

    wrong = cloudgate("tenant", "edit", "acme", "--network", "192.0.2.7/24")
    assert wrong.exit_code == 1
    assert "give 192.0.2.0/24 for the network, or 192.0.2.7 for the one address" in wrong.stderr
    both_options = cloudgate("tenant", "edit", "acme", "--network", "::1", "--any-network")
    assert both_options.exit_code == 2
    edited = cloudgate(
        "tenant", "edit", "acme", "--network", "192.0.2.7", "--end-tunnels", "-o", "json"
    )
    assert json.loads(edited.stdout)["AllowedNetworks"] == {"Networks": ["192.0.2.7/32"]}
    assert "elsewhere" in str(running.audited()[-1].after)
    edited = cloudgate("tenant", "edit", "acme", "--any-network", "-o", "json")
    assert "AllowedNetworks" not in json.loads(edited.stdout)

    user = ("acme", "laptop")
    made = cloudgate(
        *("tenant", "user", "create", *user, "--generate-password", "--network", "::1")
    )
    assert made.exit_code == 0, made.output
    assert "::1/128" in cloudgate("tenant", "user", "show", *user).stdout
    edited = cloudgate("tenant", "user", "edit", *user, "--end-tunnels", "-o", "json")
    assert json.loads(edited.stdout)["AllowedNetworks"] == {"Networks": ["::1/128"]}
    edited = cloudgate("tenant", "user", "edit", *user, "--any-network", "-o", "json")
    assert "AllowedNetworks" not in json.loads(edited.stdout)


@pytest.mark.usefixtures("host")
def test_a_password_is_replaced_and_the_old_one_is_good_for_a_time(
    cloudgate: Run, home: Path
) -> None:
    cloudgate("repository", "create", "vault", "--endpoint", "vault.example:8443")
    cloudgate("tenant", "create", "acme", "--generate-password", "--repository", "vault=50")
    user = ("acme", "laptop")
    cloudgate("tenant", "user", "create", *user, "--generate-password")
    (home / "new").write_text("a new p4ss\n")

    made = cloudgate("tenant", "password", "rotate", "acme")
    assert made.exit_code == 0, made.output
    assert made.stderr.startswith("The password of acme, shown this once: ")
    assert "(23 h 5" in made.stdout
    assert "min left)" in made.stdout
    given = cloudgate(
        *("tenant", "user", "password", "rotate", *user, "--password-file", str(home / "new")),
        *("--old-for", "7d"),
    )
    assert given.exit_code == 0, given.output
    assert "p4ss" not in given.output
    header, *rows = cloudgate("tenant", "password", "list").stdout.splitlines()
    assert header.split() == ["Name", "OldPasswordExpirationDate", "OldPasswordLastUsed"]
    assert [row.split()[0] for row in rows] == ["acme", "acme\\laptop"]
    assert "(6 d 23 h left)" in rows[1]

    assert cloudgate("tenant", "password", "end-old", "acme").exit_code == 0
    assert cloudgate("tenant", "user", "password", "end-old", *user).exit_code == 0
    assert len(cloudgate("tenant", "password", "list").stdout.splitlines()) == 1
    at_once = cloudgate("tenant", "password", "rotate", "acme", "--now", "--end-tunnels")
    assert "left)" not in at_once.stdout
    assert cloudgate("tenant", "password", "rotate", "acme", "--old-for", "31d").exit_code == 1
    both = cloudgate("tenant", "password", "rotate", "acme", "--old-for", "1d", "--now")
    assert both.exit_code == 2


@pytest.mark.usefixtures("host")
def test_a_tenant_changes_its_own_password_where_the_provider_lets_it(
    cloudgate: Run, home: Path
) -> None:
    made = cloudgate("tenant", "create", "acme", "--generate-password", "--own-passwords")
    (home / "own").write_text(made.stderr.strip().rpartition(" ")[2])
    (home / "chosen").write_text("chosen by ourselves")
    as_acme = ("--user", "acme", "--password-file", str(home / "own"))
    new = ("tenant", "password", "change", "--new-password-file", str(home / "chosen"))
    changed = cloudgate(*as_acme, *new, "--old-for", "7d")
    assert (changed.stdout, changed.stderr) == ("Changed the password.\n", "")
    assert "\nacme " in cloudgate("tenant", "password", "list").stdout
    again = cloudgate(*as_acme, *new)
    assert "name or password is wrong" in again.stderr
    assert cloudgate("tenant", "edit", "acme", "--no-own-passwords").exit_code == 0
    refused = cloudgate(*as_acme[:2], "--password-file", str(home / "chosen"), *new)
    assert refused.exit_code == 1
    assert "does not let acme change passwords" in refused.stderr


def test_a_program_is_told_of_what_happens(cloudgate: Run) -> None:
    inside = cloudgate("notification", "create", "hook", "--hook", "https://10.0.0.1/")
    assert "inside of the provider's own network" in inside.stderr
    url = f"https://{'h' * 64}.example/cloudgate"  # no resolver is asked for such a name
    made = cloudgate(
        *("notification", "create", "hook", "--hook", url, "--event", "GatewayDown"),
        *("--quiet", "22:00-06:00", "--digest", "1h"),
    )
    assert "whsec_" in made.stdout
    listed = cloudgate("notification", "list").stdout
    assert url in listed
    assert "whsec_" not in listed
    assert cloudgate("notification", "edit", "hook", "--quiet", "none").exit_code == 0
    shown = json.loads(cloudgate("notification", "show", "hook", "-o", "json").stdout)
    assert (shown["QuietFrom"], shown["DigestMinutes"]) == (None, 60)
    failed = cloudgate("notification", "test", "hook")
    assert (failed.exit_code, "cannot be reached" in failed.stderr) == (1, True)
    assert "This is a test" in cloudgate("notification", "log").stdout
    assert cloudgate("notification", "delete", "hook").exit_code == 0
    both = cloudgate("notification", "create", "x", "--hook", url, "--mail", "a@b.example")
    assert "one of the two" in both.stderr
    short = cloudgate("notification", "create", "x", "--mail", "a@b.example", "--digest", "30")
    assert (short.exit_code, "less than a minute" in short.stderr) == (2, True)


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("2030-12-31", "2030-12-31T00:00:00Z"),
        ("2030-12-31T24:00:00", "2031-01-01T00:00:00Z"),
        ("2030-12-31T10:00:00.1234567+02:00", "2030-12-31T08:00:00.123456Z"),
    ],
)
def test_the_end_of_a_lease_is_read_as_the_api_reads_it(
    cloudgate: Run, text: str, end: str
) -> None:
    made = cloudgate("tenant", "create", "acme", "--generate-password", "--lease", text)
    assert made.exit_code == 0, made.output
    shown = json.loads(cloudgate("tenant", "show", "acme", "-o", "json").stdout)
    assert shown["LeaseOptions"] == {"Enabled": True, "ExpirationDate": end}


def test_a_generated_password_is_shown_once_and_not_among_the_results(cloudgate: Run) -> None:
    made = cloudgate("tenant", "create", "acme", "--generate-password", "-o", "json")
    assert made.exit_code == 0, made.output
    prefix = "The password of acme, shown this once: "
    (line,) = made.stderr.splitlines()
    assert line.startswith(prefix)
    password = line.removeprefix(prefix)
    assert len(password) >= 20
    assert password not in made.stdout


@pytest.mark.usefixtures("host")
def test_a_provider_says_what_becomes_of_quotas_that_are_used_up(cloudgate: Run) -> None:
    vault = ("repository", "create", "vault", "--endpoint", "vault.example:8443", "-o", "json")
    made = json.loads(cloudgate(*vault, "--quota-warning", "50").stdout)
    assert made["QuotaWarningPercents"] == {"Percents": [50]}
    edit = ("repository", "edit", "vault", "-o", "json")
    edited = cloudgate(*edit, "--quota-warning", "90", "--quota-grace", "0", "--no-enforce-quotas")
    changed = json.loads(edited.stdout)
    assert changed["QuotaWarningPercents"] == {"Percents": [90]}
    assert (changed["QuotaGracePercent"], changed["QuotaEnforced"]) == (0, False)
    none = json.loads(cloudgate(*edit, "--no-quota-warnings").stdout)
    assert none["QuotaWarningPercents"] == {"Percents": []}
    assert cloudgate(*edit, "--quota-warning", "100").exit_code == 2
    made = cloudgate(*("tenant", "create", "acme", "--generate-password", "--no-wait"))
    assert made.exit_code == 0, made.output
    limited = cloudgate("tenant", "edit", "acme", "--egress-quota", "2TB", "--hard-egress")
    assert limited.exit_code == 0, limited.output
    assert "EgressQuotaMb                   2 TB" in limited.stdout
    free = cloudgate("tenant", "edit", "acme", "--egress-quota", "0", "-o", "json")
    assert "EgressQuotaMb" not in json.loads(free.stdout)


def test_gateways_are_set_apart_for_tenants(cloudgate: Run, host: ScriptedHost) -> None:
    with obedient(host):
        cloudgate("gateway", "create", host.name)
        cloudgate("tenant", "create", "acme", "--generate-password", "--no-wait")
        made = cloudgate("pool", "create", "gold", "--gateway", host.name, "--tenant", "acme")
        assert made.exit_code == 0, made.output
        assert cloudgate("pool", "list").stdout.splitlines()[1].split() == [
            "gold",
            "1",
            "1",
            "localhost",
        ]
        refused = cloudgate("pool", "delete", "gold")
        assert refused.stderr.startswith("Error: The gateway pool gold is in use by acme.")
        edited = cloudgate("pool", "edit", "gold", "--no-tenants", "--name", "silver", "-o", "json")
        assert json.loads(edited.stdout)["Name"] == "silver"
        assert cloudgate("pool", "delete", "silver").exit_code == 0
        assert cloudgate("pool", "create", "empty").exit_code == 2


def test_a_tenant_gets_users_of_its_own(cloudgate: Run) -> None:
    cloudgate("repository", "create", "vault", "--endpoint", "vault.example:1")
    cloudgate("tenant", "create", "acme", "--generate-password", "--repository", "vault=50")
    made = cloudgate(
        "tenant", "user", "create", "acme", "laptop", "--generate-password", "--quota-gb", "20"
    )
    assert made.exit_code == 0, made.output
    assert cloudgate("tenant", "user", "list", "acme").stdout.splitlines()[1].split()[:4] == [
        "laptop",
        "true",
        "vault",
        "20480",
    ]
    changed = cloudgate("tenant", "user", "edit", "acme", "laptop", "--disable", "-o", "json")
    assert json.loads(changed.stdout)["Enabled"] is False
    assert cloudgate("tenant", "user", "delete", "acme", "laptop").exit_code == 0
    missing = cloudgate("tenant", "user", "show", "acme", "laptop")
    assert missing.stderr == "Error: The tenant has no user named 'laptop'; it has: none.\n"


def test_accounts_are_added_and_given_passwords(cloudgate: Run, home: Path) -> None:
    made = cloudgate("account", "create", "carol", "--role", "portal user", "--generate-password")
    assert made.exit_code == 0, made.output
    assert made.stdout == "Added carol.\n"
    password = made.stderr.strip().rpartition(" ")[2]
    (home / "carol").write_text(password)
    as_carol = ("--user", "carol", "--password-file", str(home / "carol"))
    assert cloudgate(*as_carol, "gateway", "list").exit_code == 0
    refused = cloudgate(*as_carol, "account", "list")
    assert refused.stderr == "Error: Access denied\n"
    (home / "carol").write_text("an0ther")
    changed = cloudgate("account", "password", "carol", "--password-file", str(home / "carol"))
    assert changed.stdout == "Changed the password of carol.\n"
    assert cloudgate(*as_carol, "gateway", "list").exit_code == 0
    assert cloudgate("account", "delete", "carol").exit_code == 0
    assert "carol" not in cloudgate("account", "list").stdout
    assert cloudgate("account", "create", "dave").exit_code == 2


def test_a_machine_is_added_with_its_token_and_removed(cloudgate: Run) -> None:
    made = json.loads(cloudgate("server", "create", "gw2.example", "-o", "json").stdout)
    assert len(made["JoinToken"]) > 20
    assert cloudgate("server", "delete", "gw2.example").stdout == "Deleted gw2.example.\n"


def test_backup_servers_are_connected_renamed_and_disconnected(cloudgate: Run) -> None:
    assert cloudgate("backup-server", "create", "site2.example", "--port", "9400").exit_code == 0
    edited = cloudgate("backup-server", "edit", "site2.example", "--description", "second site")
    assert "9400" in edited.stdout
    assert "second site" in edited.stdout
    collected = cloudgate("backup-server", "collect", "site2.example")
    assert "Finished" in collected.stdout
    assert cloudgate("backup-server", "delete", "site2.example").exit_code == 0
    assert "site2.example" not in cloudgate("backup-server", "list").stdout


def test_json_is_what_the_api_answers(cloudgate: Run, running: RunningManager) -> None:
    said = json.loads(cloudgate("backup-server", "show", "localhost", "-o", "json").stdout)
    client = running.logged_on()
    assert said == client.get(said["Href"]).json()


def test_a_name_that_two_things_have_is_not_guessed(cloudgate: Run) -> None:
    cloudgate("backup-server", "create", "site2.example")
    for site in ("localhost", "site2.example"):
        made = cloudgate(
            "repository", "create", "vault", "--endpoint", f"{site}:1", "--backup-server", site
        )
        assert made.exit_code == 0, made.output
    shown = cloudgate("repository", "show", "vault")
    assert shown.exit_code == 1
    assert "2 repositories are named 'vault'; give the id of one: " in shown.stderr
    one = shown.stderr.split("give the id of one: ")[1].split(" of ")[0]
    assert cloudgate("repository", "show", one).exit_code == 0


def test_what_is_not_there_is_said_with_its_name(cloudgate: Run) -> None:
    shown = cloudgate("tenant", "show", "nobody")
    assert (shown.exit_code, shown.stdout) == (1, "")
    assert shown.stderr == "Error: There is no tenant named 'nobody'.\n"


def test_a_quota_that_is_no_number_is_said_with_how_to_write_it(cloudgate: Run) -> None:
    refused = cloudgate("tenant", "create", "acme", "--generate-password", "--repository", "v=x")
    assert refused.exit_code == 1
    assert "named 'v=x'. A quota is a whole number of GB, as in vault=100." in refused.stderr


def test_files_that_cannot_be_what_they_should_be_are_named(cloudgate: Run, home: Path) -> None:
    cloudgate("repository", "create", "vault", "--endpoint", "vault.example:8443")
    program = home / "program"
    program.write_bytes(b"\x7fELF\xd0\x00")
    probe = ("repository", "probe", "vault", "S3", "--bucket", "b", "--prefix", "{tenant}/")
    for file, reason in (
        (program, f"Error: {program} holds no certificates in PEM format."),
        (home / "none", f"Error: Cannot read {home / 'none'}: No such file or directory."),
    ):
        refused = cloudgate(*probe, "--server-ca", str(file))
        assert (refused.exit_code, refused.stderr.strip()) == (1, reason)


def test_what_the_manager_refuses_is_said_in_its_words(cloudgate: Run) -> None:
    made = cloudgate("gateway", "create", "unknown.example")
    assert made.exit_code == 1
    assert made.stderr.startswith("Error: ")
    assert "unknown.example" in made.stderr
    assert "Traceback" not in made.output


@pytest.mark.parametrize(
    "arguments",
    [
        ("gateway", "create", "x", "--port", "0"),
        ("gateway", "create", "x", "--port", "65536"),
        ("gateway", "create", "x", "--port", "6180x"),
        ("gateway", "create", "x", "--mode", "Bridge"),
        ("gateway", "edit", "x"),
        ("tenant", "create", "acme"),
        ("tenant", "edit", "acme", "--lease", "soon"),
        ("tenant", "edit", "acme", "--lease", "9999-12-31T23:00:00-05:00"),
        ("tenant", "edit", "acme", "--lease", "2030-01-01", "--no-lease"),
        ("backup-server", "edit", "localhost"),
    ],
    ids=" ".join,
)
def test_options_that_make_no_sense_are_refused_before_anything_is_asked(
    cloudgate: Run, arguments: tuple[str, ...]
) -> None:
    refused = cloudgate(*arguments)
    assert refused.exit_code == 2
    assert "Usage: " in refused.stderr


def test_the_logon_session_is_kept_where_only_its_owner_reads(
    cloudgate: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloudgate("server", "list")
    (kept,) = (home / ".cache" / "cloudgate").iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600

    monkeypatch.delenv("CLOUDGATE_PASSWORD_FILE")
    assert cloudgate("server", "list").exit_code == 0
    assert cloudgate("logout").stdout == "Logged off.\n"
    assert not kept.exists()
    asked = cloudgate("server", "list")
    assert asked.exit_code == 1
    assert "CLOUDGATE_PASSWORD_FILE" in asked.stderr


def test_a_session_that_has_expired_is_renewed_without_a_word(
    cloudgate: Run, running: RunningManager
) -> None:
    assert cloudgate("server", "list").exit_code == 0
    running.clock.ahead = timedelta(hours=1)
    again = cloudgate("server", "list")
    assert (again.exit_code, again.stderr) == (0, "")


def test_a_wrong_password_is_said_so(cloudgate: Run, home: Path) -> None:
    (home / "password").write_text("wrong")
    refused = cloudgate("server", "list")
    assert refused.exit_code == 1
    assert "did not accept this password for the user admin" in refused.stderr
    assert PASSWORD not in refused.output


def test_a_proxy_of_the_environment_is_not_asked_for_the_own_machine(
    cloudgate: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "https://acme:password@localhost:1")
    assert cloudgate("server", "list").exit_code == 0


def test_a_manager_that_is_not_trusted_is_not_spoken_to(
    cloudgate: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CLOUDGATE_CA")
    refused = cloudgate("server", "list")
    assert refused.exit_code == 1
    assert "is not trusted" in refused.stderr
    assert "--ca" in refused.stderr
    empty = home / "empty.pem"
    empty.write_text("")
    refused = cloudgate("--ca", str(empty), "server", "list")
    assert refused.stderr == f"Error: {empty} holds no certificates in PEM format.\n"


@needs_pebble
def test_a_certificate_is_asked_for_by_one_command(
    cloudgate: Run, running: RunningManager, tmp_path: Path
) -> None:
    with acme_server(tmp_path / "acme", free_port()) as acme:
        running.manager.challenges.dns_hook = acme.dns_hook
        (tmp_path / "acme-ca.pem").write_text(acme.ca_pem)
        done = cloudgate(
            *("certificate", "acme", "--directory", acme.url, "--name", "gate.example"),
            *("--name", "*.gate.example", "--challenge", "dns-01"),
            *("--server-ca", str(tmp_path / "acme-ca.pem")),
        )
    assert done.exit_code == 0, done.output
    assert "*.gate.example" in done.stdout


def test_a_manager_that_is_away_is_told_with_its_address(
    cloudgate: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUDGATE_URL", "https://localhost:1")
    away = cloudgate("server", "list")
    assert away.exit_code == 1
    assert "Cannot reach https://localhost:1" in away.stderr


def test_only_https_is_spoken(cloudgate: Run) -> None:
    refused = cloudgate("--url", "http://localhost:9399", "server", "list")
    assert refused.stderr == "Error: The address http://localhost:9399 must begin with https://.\n"


def test_text_from_the_api_cannot_steer_the_terminal(cloudgate: Run) -> None:
    cloudgate(
        "repository",
        "create",
        "vault",
        "--endpoint",
        "v.example:1",
        "--description",
        "a\tb\u202ec\u009b31m",
    )
    shown = cloudgate("repository", "list").stdout
    assert "\u202e" not in shown
    assert "\u009b" not in shown
    assert "\\u202e" in shown
    as_json = cloudgate("-o", "json", "repository", "list").stdout
    assert as_json.strip().isprintable()
    assert "\u202e" in json.dumps(json.loads(as_json), ensure_ascii=False)


def test_a_certificate_is_brought_from_files_and_taken_away(
    cloudgate: Run, home: Path, running: RunningManager
) -> None:
    made = Made("gw.example")
    chain, key, pfx = home / "chain.pem", home / "key.pem", home / "both.pfx"
    chain.write_text(made.pem.removeprefix(made.key_pem))
    key.write_text(made.key_pem)
    pfx.write_bytes(base64.b64decode(made.pfx("secret")))
    (home / "pfx-password").write_text("secret\n")
    for arguments in (
        (str(chain), "--key", str(key)),
        (str(pfx), "--password-file", str(home / "pfx-password")),
    ):
        brought = cloudgate("certificate", "import", *arguments)
        assert brought.exit_code == 0, brought.output
        assert "gw.example" in brought.stdout
        assert "PRIVATE" not in brought.output
    (listed,) = json.loads(cloudgate("certificate", "list", "-o", "json").stdout)[
        "CloudCertificates"
    ]
    identifier = listed["UID"].rpartition(":")[2]
    assert cloudgate("certificate", "show", identifier).exit_code == 0
    assert cloudgate("certificate", "delete", identifier).exit_code == 0
    assert cloudgate("certificate", "list").stdout.splitlines()[1:] == []
    alone = cloudgate("certificate", "import", str(chain))
    assert alone.exit_code == 1
    assert "each as PEM" in alone.output


def test_all_usage_is_a_table_a_spreadsheet_or_what_the_api_says(
    cloudgate: Run, host: ScriptedHost
) -> None:
    for name in ("acme", "globex"):
        cloudgate("tenant", "create", name, "--generate-password", "--no-wait")
    host.poll()
    listed = json.loads(cloudgate("tenant", "list", "-o", "json").stdout)["CloudTenants"]
    ids = {each["Name"]: UUID(each["UID"].rpartition(":")[2]) for each in listed}
    this_month = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    times = (this_month, this_month - timedelta(minutes=1))
    used = [
        Usage(minute=at, tenant_id=id_, target="v:1", tunnels=1, bytes_up=up, bytes_down=7)
        for at, up in zip(times, (1000, 50), strict=True)
        for id_ in ids.values()
    ]
    batch = UsageBatch(batch="1", usage=tuple(used))
    host.client.post("/usage", content=batch.model_dump_json()).raise_for_status()
    cloudgate("tenant", "delete", "acme", "--no-wait")

    lines = cloudgate("usage", "--days", "60").stdout.splitlines()
    assert sorted(line.split() for line in lines[1:]) == [
        ["acme", "gw1.example", "v:1", "2", "1", "KB", "14", "bytes"],
        ["globex", "gw1.example", "v:1", "2", "1", "KB", "14", "bytes"],
    ]
    together = cloudgate("usage", "--days", "99", "--by-month", "--csv").stdout
    assert [row["BytesUp"] for row in csv.DictReader(together.splitlines())] == ["100", "2000"]
    assert cloudgate("usage", "--by-month", "--by-hour").exit_code == 2
    assert "gw1.example:6180" not in cloudgate("tenant", "gateways", "globex").stdout
    live = cloudgate("tenant", "tunnels", "globex")
    assert (live.exit_code, live.stdout.split()[0]) == (0, "CloudGateway")
    held_back = cloudgate("tenant", "held-back", "globex").stdout.splitlines()
    assert [line.split() for line in held_back] == [
        ["BeginTime", "Minutes", "LimitSeconds", "ShareSeconds"]
    ]
    sheet = cloudgate("usage", "--month", f"{this_month:%Y-%m}", "--csv").stdout
    rows = sorted(csv.DictReader(sheet.splitlines()), key=lambda row: row["CloudTenant"])
    assert [(row["CloudTenant"], row["BytesUp"]) for row in rows] == [
        ("acme", "1000"),
        ("globex", "1000"),
    ]
    assert rows[0]["CloudTenantUid"] == f"urn:veeam:CloudTenant:{ids['acme']}"
    detail = cloudgate("usage", "--days", "60", "--detail", "--csv").stdout
    assert len(list(csv.DictReader(detail.splitlines()))) == 4
    told = json.loads(cloudgate("usage", "--days", "60", "-o", "json").stdout)
    assert told["PagingInfo"]["PagesCount"] == 1


def test_usage_in_several_pages_is_one_table_and_one_document(
    cloudgate: Run,
    host: ScriptedHost,
    running: RunningManager,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A row that falls out of the days that are asked for, between two pages, takes none along."""
    cloudgate("tenant", "create", "acme", "--generate-password", "--no-wait")
    host.poll()
    (acme,) = json.loads(cloudgate("tenant", "list", "-o", "json").stdout)["CloudTenants"]
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    used = [
        Usage(
            minute=now - timedelta(minutes=ago),
            tenant_id=UUID(acme["UID"].rpartition(":")[2]),
            target="v:1",
            tunnels=1,
            bytes_up=ago,
            bytes_down=7,
        )
        for ago in (50, 40, 30, 20)
    ]
    batch = UsageBatch(batch="1", usage=tuple(used))
    host.client.post("/usage", content=batch.model_dump_json()).raise_for_status()
    monkeypatch.setattr(usage_command, "LARGEST_PAGE", 1)
    detail = ("usage", "--days", "1", "--detail")
    told = json.loads(cloudgate(*detail, "-o", "json").stdout)
    rows = told["CloudUsages"]["CloudUsages"]
    assert [each["BytesUp"] for each in rows] == [50, 40, 30, 20]
    assert told["PagingInfo"]["PagesCount"] == 1
    where = ConnectionSettings(url=running.url, password_file=home / "password", ca=running.ca_file)
    with connected(connection(where)) as api:
        pages = usage_command.pages_of(Call(api), {"days": "1"})
        found = [next(pages)]
        later = running.clock.ahead + timedelta(days=1, minutes=-45)
        monkeypatch.setattr(running.clock, "ahead", later)
        found += pages
    ups = [row["BytesUp"] for each in found for row in each.body["CloudUsages"]["CloudUsages"]]
    assert ups == [50, 40, 30, 20]


@pytest.mark.parametrize("month", ["2030-13", "soon", "1999-01", "9998-01"])
def test_a_month_that_is_none_or_unknown_is_refused(cloudgate: Run, month: str) -> None:
    refused = cloudgate("usage", "--month", month)
    assert (refused.exit_code, "month" in refused.stderr) == (2, True)
