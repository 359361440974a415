"""Signing in: what do the options of single sign-on come to?"""

from urllib.parse import urlsplit
from uuid import UUID

from cloudgate.cli import passwords
from cloudgate.cli.service.manager.options import SigningInOptions
from cloudgate.errors import InvalidRequestError
from cloudgate.manager.sessions.openid_provider import check_installed
from cloudgate.manager.sessions.single_sign_on import role_named
from cloudgate.manager.settings.signing_in import SigningInSettings, SingleSignOn, address


def signing_in_of(options: SigningInOptions) -> SigningInSettings:
    """How people sign in, besides by name and password.

    Raises:
        CloudgateError: something of it is wrong, or missing.
    """
    url = options.console_url
    return SigningInSettings(
        console_url="" if url is None else address(url, "--console-url"),
        single_sign_on=_single_sign_on(options),
    )


def _single_sign_on(said: SigningInOptions) -> SingleSignOn | None:
    if said.sso_issuer is None:
        if said.sso_client_id or said.sso_client_secret_file or said.sso_role:
            raise InvalidRequestError("Name the provider of single sign-on, with --sso-issuer.")
        return None
    if said.console_url is None or not said.sso_client_id or not said.sso_role:
        raise InvalidRequestError(
            "Single sign-on needs --console-url, where the provider leads browsers back to;"
            " --sso-client-id, what this manager is called there; and at least one --sso-role, as"
            " nobody has a role otherwise."
        )
    check_installed()
    issuer = address(said.sso_issuer, "--sso-issuer")
    secret, ca = said.sso_client_secret_file, said.sso_ca
    return SingleSignOn(
        issuer=issuer,
        client_id=said.sso_client_id,
        client_secret="" if secret is None else passwords.from_file(secret, "client secret"),
        name=said.sso_name or urlsplit(issuer).hostname or issuer,
        scopes=" ".join(("openid", "profile", "email", *said.sso_scope)),
        role_claim=said.sso_role_claim,
        roles=dict(map(_role, said.sso_role)),
        makes_accounts=_one_of(said.sso_accounts, "--sso-accounts", "made", "known"),
        passwords_are_good=_one_of(said.sso_passwords, "--sso-passwords", "on", "off"),
        authority_pem="" if ca is None else passwords.from_file(ca, "authority"),
    )


def _role(text: str) -> tuple[str, UUID]:
    value, _, name = text.rpartition("=")
    if not value:
        raise InvalidRequestError(
            f"--sso-role: found {text[:100]!r}, expected VALUE=ROLE such as"
            " admins=PortalAdministrator."
        )
    return value, role_named(name)


def _one_of(text: str, option: str, yes: str, no: str) -> bool:
    if text.lower() not in (yes, no):
        raise InvalidRequestError(f"{option} {text[:40]!r} is neither {yes} nor {no}.")
    return text.lower() == yes
