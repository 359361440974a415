"""Can all that a service may be told stand in a file, and is a mistake there found?"""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cloudgate.cli.app import app
from cloudgate.cli.service.manager import typed_options
from tests.cli.conftest import Run

VALUES = {
    "own_url": '"https://manager1.example:9398"',
    "data": '"state"',
    "host": '"127.0.0.1"',
    "port": "9555",
    "admin_password_file": '"password"',
    "first_admin_password_file": '"password"',
    "http_port": "9399",
    "trusted_proxy": '["10.0.0.0/8", "192.0.2.1"]',
    "audit_log": '"audit.log"',
    "acme_dns_hook": '"hook"',
    "protection_hook": '"hook"',
    "gateway_certificate_days": "30",
    "connections_per_address": "100",
    "reachable": '"10.0.0.0/8"',
    "measurable_folder": '["/srv"]',
    "audit_days": "400",
    "metrics_listen": '"127.0.0.1:9000"',
    "metrics_token_file": '"tokens"',
    "database": '"postgresql://cloudgate@db.example/cloudgate"',
    "backup_folder": '"backups"',
    "backup_every": '"12h"',
    "backup_keep": "7",
    "backup_passphrase_file": '"password"',
    "backup_key_file": '"tokens"',
    "smtp": '"smtp://cloudgate@mail.example:587"',
    "smtp_password_file": '"password"',
    "smtp_ca": '"ca.pem"',
    "mail_from": '"cloudgate@provider.example"',
    "mail_templates": '"templates"',
    "hook_network": '["10.0.0.0/8"]',
    "dns_name": '["gate.example", "vip.gate.example=vip"]',
    "dns_server": '"ns1.example"',
    "dns_key_file": '"dns.key"',
    "portal": '"off"',
    "portal_name": '"Example Backup"',
    "portal_logo": '"logo.svg"',
    "portal_color": '"#7a1fa2"',
    "portal_dark_color": '"#d7a8f0"',
    "console_brand": '"on"',
    "console_url": '"https://console.example"',
    "sso_issuer": '"https://id.example/realms/main"',
    "sso_client_id": '"cloudgate"',
    "sso_client_secret_file": '"password"',
    "sso_ca": '"ca.pem"',
    "sso_name": '"Example ID"',
    "sso_scope": '["groups"]',
    "sso_role_claim": '"groups"',
    "sso_role": '["admins=Portal Administrator", "staff=PortalUser"]',
    "sso_accounts": '"known"',
    "sso_passwords": '"off"',
    "tunnel_wait_seconds": "2.5",
    "data_path": '"module"',
    "gateway_mbit": "1000",
    "drain_seconds": "300",
}
COMMANDS = {"manager": ("serve",), "host": ("host", "run")}


@pytest.fixture
def cloudgate(home: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command; there is no manager."""
    del home
    monkeypatch.delenv("CLOUDGATE_METRICS_LISTEN", raising=False)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, arguments, catch_exceptions=False)

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the files are that others name."""
    for name in ("password", "hook", "tokens"):
        (tmp_path / name).write_text("long enough, says whoever chose it")
    return tmp_path


def options_of(cloudgate: Run, *words: str) -> set[str]:
    """The options of a command, as its help has them."""
    shown = cloudgate(*words, "--help").stdout
    found = {each.replace("-", "_") for each in re.findall(r"^ +--([a-z-]+)", shown, re.MULTILINE)}
    return found - {"help", "config", "print_unit"}


@pytest.mark.parametrize("service", COMMANDS)
def test_each_option_of_a_service_may_stand_in_its_file(
    cloudgate: Run, folder: Path, service: str
) -> None:
    besides = {
        "tunnel_wait_seconds",
        "data_path",
        "gateway_mbit",
        "connections_per_address",
        "drain_seconds",
    }
    names = options_of(cloudgate, *COMMANDS[service]) | (besides if service == "host" else set())
    file = folder / f"{service}.toml"
    file.write_text("".join(f"{name} = {VALUES[name]}\n" for name in sorted(names)))
    checked = cloudgate("config", "check", str(file))
    assert checked.exit_code == 0, checked.output
    assert f"{len(names)} settings of the {service}" in checked.stdout


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("prot = 9398", "there is no setting 'prot'; do you mean port?"),
        ('"http-port" = 80', "there is no setting 'http-port'; do you mean http_port?"),
        ("[tls]", "there is no setting 'tls'. There are: acme_dns_hook, "),
        ("port.is = 3", "port has to be a whole number."),
        ("port = true", "port has to be a whole number."),
        ('port = "9398"', "port has to be a whole number."),
        ("port = 65536", "port: "),
        ("port = 0", "port: "),
        (
            'gateway_certificate_days = "a day"',
            "gateway_certificate_days has to be a whole number.",
        ),
        ("audit_log = 3", "audit_log has to be a text in quotes."),
        ("trusted_proxy = [1]", "trusted_proxy has to be a text, or a list of texts."),
        ('acme_dns_hook = "nowhere"', "acme_dns_hook: "),
        ('print_unit = "yes"', "there is no setting 'print_unit'"),
        ("gateway_mbit = 1", "there is no setting 'gateway_mbit'"),
    ],
)
def test_a_mistake_is_named_with_its_line_and_nothing_starts(
    cloudgate: Run, folder: Path, line: str, complaint: str
) -> None:
    file = folder / "manager.toml"
    file.write_text(f'# of the manager\n\nhost = "port = 1"\n{line}\n')
    for command in (("config", "check", str(file)), ("serve", "--config", str(file))):
        refused = cloudgate(*command)
        assert refused.exit_code == 1
        assert f"{file}, line 4: {complaint}" in refused.output
    assert not (folder / "state").exists()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"port 9398", "is not TOML"),
        (b"port = 1\nport = 2", "is not TOML"),
        (b"\xff\xfe", "is not UTF-8 text"),
        (b"#" * 2_000_000, "is too large"),
        (None, "Cannot read"),
    ],
)
def test_what_is_no_file_with_settings_is_refused(
    cloudgate: Run, folder: Path, content: bytes | None, complaint: str
) -> None:
    file = folder / "manager.toml"
    if content is not None:
        file.write_bytes(content)
    refused = cloudgate("config", "check", str(file))
    assert refused.exit_code == 1
    assert complaint in refused.output
    assert str(file) in refused.output


def test_a_path_that_leads_up_is_named_as_it_is(cloudgate: Run, folder: Path) -> None:
    file = folder / "manager.toml"
    file.write_text('acme_dns_hook = "../nowhere"\n')
    assert f"{folder}/../nowhere" in cloudgate("config", "check", str(file)).output


def test_all_mistakes_of_a_file_are_said_at_once(cloudgate: Run, folder: Path) -> None:
    file = folder / "host.toml"
    file.write_text('data_path = "tcp"\ngateway_mbit = -1\ntunnel_wait_seconds = nan\n')
    refused = cloudgate("config", "check", str(file))
    assert 'line 1: data_path has to be "module" or "http".' in refused.output
    assert "line 2: gateway_mbit" in refused.output
    assert "line 3: tunnel_wait_seconds" in refused.output


def test_whose_settings_they_are_is_asked_where_the_name_does_not_tell(
    cloudgate: Run, folder: Path
) -> None:
    file = folder / "cloudgate.toml"
    file.write_text("gateway_mbit = 10\n")
    assert "--for manager or --for host" in cloudgate("config", "check", str(file)).output
    assert cloudgate("config", "check", str(file), "--for", "host").exit_code == 0
    assert cloudgate("config", "check", str(file), "--for", "manager").exit_code == 1


def test_a_secret_that_systemd_hands_over_is_taken_from_its_folder(
    cloudgate: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = folder / "manager.toml"
    file.write_text(
        'data = "state"\nadmin_password_file = "$CREDENTIALS_DIRECTORY/admin.password"\n'
    )
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    checked = cloudgate("config", "check", str(file))
    assert checked.exit_code == 0, "systemd has it, and who looks at the file has not"
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder / "credentials"))
    command = [sys.executable, "-m", "cloudgate", "serve", "--config", str(file)]
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "credentials/admin.password" in re.sub(r"[\s│]", "", refused.stderr)
    (folder / "credentials").mkdir()
    (folder / "credentials" / "admin.password").write_text("a long password")
    assert cloudgate("config", "check", str(file)).exit_code == 0


def test_an_option_wins_over_the_environment_and_that_over_the_file(
    cloudgate: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = folder / "manager.toml"
    file.write_text('data = "state"\nadmin_password_file = "password"\nport = 9001\n')

    def started_by(*words: str) -> list[str]:
        shown = cloudgate("serve", "--config", str(file), *words, "--print-unit")
        assert shown.exit_code == 0, shown.output
        line = next(each for each in shown.stdout.splitlines() if each.startswith("ExecStart="))
        return shlex.split(line.removeprefix("ExecStart="))[4:]

    assert started_by() == ["--config", str(file)]
    monkeypatch.setenv("CLOUDGATE_PORT", "9002")
    assert started_by() == ["--config", str(file), "--port", "9002"]
    assert started_by("--port", "9003") == ["--config", str(file), "--port", "9003"]
    assert started_by("--port", "9398") == ["--config", str(file), "--port", "9398"]


def test_what_a_manager_was_started_with_is_told_without_a_secret() -> None:
    said = {
        "database": "postgresql://cloudgate:s3cr/et@db.example/cloudgate",
        "smtp": "smtp://me:p@ss@mail.example:587",
        "reachable": ["10.0.0.0/8", "192.0.2.0/24"],
        "sso_client_secret_file": Path("/etc/cloudgate/sso-secret"),
    }
    shown = {
        each.name: each.value
        for each in typed_options.settings_in_force(typed_options.options_of(said))
    }
    assert shown["database"] == "postgresql://cloudgate@db.example/cloudgate"
    assert shown["smtp"] == "smtp://me@mail.example:587"
    assert shown["reachable"] == "10.0.0.0/8, 192.0.2.0/24"
    assert shown["sso_client_secret_file"] == "/etc/cloudgate/sso-secret"
    assert shown["audit_log"] is None
    secret = {name for name in shown if re.search("password|secret|token|key", name)}
    assert {name for name in secret if not name.endswith("_file")} == {"sso_passwords"}
