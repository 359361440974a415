"""Outgoing: what do the options of mail, calls to programs, and names in DNS come to?"""

from pathlib import Path

from cloudgate.cli import passwords
from cloudgate.cli.service.manager.options import DnsOptions, OutgoingOptions
from cloudgate.errors import InvalidRequestError
from cloudgate.manager.notifications.mail import read_templates
from cloudgate.manager.settings.dns_names import DnsNames, dns_names
from cloudgate.manager.settings.outgoing import OutgoingSettings, mail_server, networks
from cloudgate.named_files import text_of


def outgoing_of(options: OutgoingOptions) -> OutgoingSettings:
    """How messages are sent, and where to.

    Raises:
        InvalidRequestError: something of it is wrong, or missing.
    """
    mail, password_file = None, options.smtp_password_file
    if options.smtp is not None:
        mail = mail_server(
            options.smtp,
            options.mail_from or "",
            "" if password_file is None else passwords.from_file(password_file, "SMTP password"),
            _text(options.smtp_ca, "--smtp-ca"),
        )
    elif any((options.smtp_password_file, options.smtp_ca, options.mail_from)):
        raise InvalidRequestError("Name the mail server, with --smtp.")
    folder = options.mail_templates
    return OutgoingSettings(
        mail=mail,
        networks=networks(options.hook_network),
        templates={} if folder is None else read_templates(folder),
    )


def dns_of(options: DnsOptions, hook: Path | None) -> DnsNames:
    """Under which names gateways come; `hook` is told of their addresses if no server is.

    Raises:
        InvalidRequestError: something of it is wrong, or missing.
    """
    key = _text(options.dns_key_file, "--dns-key-file") or None
    return dns_names(options.dns_name, options.dns_server, key, hook)


def _text(file: Path | None, option: str) -> str:
    return "" if file is None else text_of(file, f"the file of {option}")
