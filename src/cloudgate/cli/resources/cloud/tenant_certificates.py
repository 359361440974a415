"""Tenant certificate commands: who gets a certificate to come in by, and when is one over?"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cloudgate.atomic_files import write_private
from cloudgate.cli import groups
from cloudgate.cli.commands import Call, command
from cloudgate.cli.lookup import find
from cloudgate.cli.output import at
from cloudgate.cli.resources.cloud import subtenants, tenants
from cloudgate.cli.resources.common import Thing, body_of, content_of, seconds_of
from cloudgate.client.core.kinds import Json
from cloudgate.errors import InvalidRequestError

if TYPE_CHECKING:
    from cloudgate.client.core.exchange import Answer

COLUMNS = {
    "Login": at("Login"),
    "Id": at("Id"),
    "IssuedTime": at("IssuedTime"),
    "ExpirationTime": at("ExpirationTime"),
    "Status": at("Status"),
    "Thumbprint": at("Thumbprint"),
}
CERTIFICATES = "CloudTenantCertificates"
Target = Annotated[
    Path,
    typer.Option(
        metavar="FILE",
        help="Where to write it, for you alone: the new key and the certificate, for curl"
        " --proxy-cert and cloudgate connect --certificate-file; with --request, the certificate.",
        show_default=False,
    ),
]
Request = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="A certificate request (PKCS #10, PEM) of a key that is made already.",
        show_default=False,
    ),
]
ValidFor = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="How long it is good, such as 7d, 24h or 30m; at most 7d. [24h]",
        show_default=False,
    ),
]
app = groups.group(
    name="certificate", help="Certificates of tenants: what they come in by, besides passwords."
)


@command(app, "issue")
def issue(
    call: Call,
    name: Thing,
    file: Target,
    user: Annotated[
        str | None,
        typer.Option("--for", metavar="USER", help="A user of the tenant.", show_default=False),
    ] = None,
    request: Request = None,
    valid_for: ValidFor = None,
) -> None:
    """Issue a certificate for a tenant, or its user."""
    found = find(call.api, tenants.KIND, name)
    user_id = subtenants.path_of(call, name, user).rpartition("/")[2] if user else None
    _look_at(file)
    key, body = _wanted(request, valid_for)
    answer = call.api.post(f"{found.path}/certificates", {**body, **body_of(SubtenantId=user_id)})
    try:
        _keep(call, file, key, answer)
    except InvalidRequestError as problem:
        call.api.delete(f"{found.path}/certificates/{answer.body['Id']}")
        raise InvalidRequestError(f"{problem.message} The certificate was revoked.") from None


@command(app, "get")
def get(call: Call, file: Target, request: Request = None, valid_for: ValidFor = None) -> None:
    """Get a certificate yourself, as the tenant or its user that --user names."""
    _look_at(file)
    key, body = _wanted(request, valid_for)
    answer = call.api.post_by_password("/cloud/certificate", body)
    try:
        _keep(call, file, key, answer)
    except InvalidRequestError as problem:
        raise InvalidRequestError(
            f"{problem.message} Have your provider revoke the certificate {answer.body['Id']}."
        ) from None


@command(app, "list")
def show_all(call: Call, name: Thing) -> None:
    """List the certificates of a tenant and its users that have not ended."""
    answer = call.api.get(_path(call, name))
    call.screen.listing(answer, answer.body.get(CERTIFICATES) or [], COLUMNS)


@command(app, "revoke", waits=True)
def revoke(
    call: Call,
    name: Thing,
    identifier: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="As the list shows them.")
    ] = None,
    all_of_them: Annotated[bool, typer.Option("--all", help="All of the tenant's.")] = False,
) -> None:
    """Have certificates open no tunnel any more; those that came in by them end."""
    if bool(identifier) == all_of_them:
        raise typer.BadParameter("Give the ids of certificates, or --all.")
    path = _path(call, name)
    good = call.api.get(path).body.get(CERTIFICATES) or []
    ids = [str(each["Id"]) for each in good if each["Status"] != "Revoked"]
    for each in ids if all_of_them else identifier or []:
        call.show_task(call.api.delete(f"{path}/{each}"))


def _path(call: Call, name: str) -> str:
    return f"{find(call.api, tenants.KIND, name).path}/certificates"


def _wanted(request: Path | None, valid_for: str | None) -> tuple[str, Json]:
    """The key, if one was made, and the body of the call."""
    key = ""
    if request is not None:
        asked = content_of(request).decode("utf-8", "replace")
    else:
        # Slow to load, and no other command needs it.
        from cloudgate.trust.certificate_request import (  # noqa: PLC0415
            new_key_pem,
            request_pem,
        )

        key = new_key_pem()
        asked = request_pem(key)
    seconds = None if valid_for is None else seconds_of(valid_for)
    return key, body_of(CertificateRequest=asked, ValidSeconds=seconds)


def _look_at(file: Path) -> None:
    """See whether a file can be written there, before anything is issued.

    Raises:
        InvalidRequestError: it cannot.
    """
    if os.path.isdir(file):  # noqa: PTH112  which takes a name that is too long
        raise InvalidRequestError(f"Cannot write {file}: it is a folder. Nothing was issued.")
    if not os.access(file.parent, os.W_OK):
        raise InvalidRequestError(
            f"Cannot write {file}: its folder is not there, or not yours. Nothing was issued."
        )


def _keep(call: Call, file: Path, key: str, answer: "Answer") -> None:
    try:
        write_private(file, key + str(answer.body["Certificate"]))
    except OSError as problem:
        raise InvalidRequestError(f"Cannot write {file}: {problem.strerror}.") from None
    call.screen.remark(
        f"Issued for {answer.body['Login']}, good until {answer.body['ExpirationTime']}; it is in"
        f" {file}."
    )
