"""Credentials: what does the API say of user names and passwords? Never the secrets."""

from cloudgate.api.access import ADMINISTRATORS, PROVIDERS
from cloudgate.api.http.call import Answer, Call
from cloudgate.api.http.links import up_to_backup_server_entity
from cloudgate.api.http.router import DONE, Route, Routes, adds, shows
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.credentials import operations
from cloudgate.manager.servers.backup_servers import get_backup_server
from cloudgate.manager.storage import tables
from cloudgate.wire.resources.base import Link
from cloudgate.wire.resources.credentials import (
    CredentialsInfo,
    CredentialsInfoList,
    CredentialsInfoSpec,
    PasswordKeyInfo,
    PasswordKeyInfoList,
    PasswordKeyInfoSpec,
)

CREDENTIALS = operations.CREDENTIALS
PASSWORD = operations.PASSWORD


ROUTES = Routes(ADMINISTRATORS)


def credentials_resource(root: str, found: tables.Credentials) -> CredentialsInfo:
    """A user name; its password is always shown empty."""
    href = f"{root}/backupServers/{found.backup_server_id}/credentials/{found.id}"
    return CredentialsInfo(
        href=href,
        type=CREDENTIALS,
        links=_links(root, found.backup_server, href, CREDENTIALS),
        id=str(found.id),
        username=found.user_name,
        description=found.description,
        password="",
    )


def password_resource(root: str, found: tables.PasswordKey) -> PasswordKeyInfo:
    """The hint to a password."""
    href = f"{root}/backupServers/{found.backup_server_id}/passwords/{found.id}"
    return PasswordKeyInfo(
        href=href,
        type=PASSWORD,
        links=_links(root, found.backup_server, href, PASSWORD),
        id=str(found.id),
        hint=found.hint,
        last_modification_date=found.modified_at,
    )


def _links(root: str, site: tables.BackupServer, href: str, kind: str) -> tuple[Link, ...]:
    return (
        up_to_backup_server_entity(root, site),
        Link(rel="Edit", href=href, type=kind),
        Link(rel="Delete", href=href, type=kind),
    )


def _site(call: Call, work: UnitOfWork) -> tables.BackupServer:
    return get_backup_server(work, call.identifier("BackupServer"))


def _named(call: Call, work: UnitOfWork) -> tables.Credentials:
    identifier = call.identifier(CREDENTIALS, "item")
    return operations.get_credentials(work, _site(call, work), identifier)


def _password(call: Call, work: UnitOfWork) -> tables.PasswordKey:
    identifier = call.identifier(PASSWORD, "item")
    return operations.get_password(work, _site(call, work), identifier)


@ROUTES.add(
    Route(
        verb="GET",
        path="/backupServers/{id}/credentials",
        answers=shows(CredentialsInfoList),
        roles=PROVIDERS,
    )
)
def get_all_credentials(call: Call) -> Answer:
    """All user names of a backup server."""
    with call.reading() as work:
        found = operations.list_credentials(work, _site(call, work))
        listed = tuple(credentials_resource(call.root, each) for each in found)
    return Answer(resource=CredentialsInfoList(credentials=listed))


@ROUTES.add(
    Route(
        verb="GET",
        path="/backupServers/{id}/credentials/{item}",
        answers=shows(CredentialsInfo),
        roles=PROVIDERS,
    )
)
def get_credentials(call: Call) -> Answer:
    """One user name."""
    with call.reading() as work:
        return Answer(resource=credentials_resource(call.root, _named(call, work)))


@ROUTES.add(
    Route(
        verb="POST",
        path="/backupServers/{id}/credentials",
        answers=adds(),
        bodies=(CredentialsInfoSpec,),
        action="create",
    )
)
def post_credentials(call: Call, spec: CredentialsInfoSpec) -> Answer:
    """Keep a user name with its password."""
    with call.changing() as work:
        made = operations.create_credentials(
            work,
            _site(call, work),
            spec.username or "",
            spec.description or "",
            spec.password or "",
        )
    href = f"{call.root}/backupServers/{made.backup_server_id}/credentials/{made.id}"
    return Answer(status=201, headers={"Location": href})


@ROUTES.add(
    Route(
        verb="PUT",
        path="/backupServers/{id}/credentials/{item}",
        answers=DONE,
        bodies=(CredentialsInfo,),
    )
)
def put_credentials(call: Call, info: CredentialsInfo) -> Answer:
    """Change a user name or its password; the id in the path decides which."""
    with call.changing() as work:
        operations.edit_credentials(
            work,
            _named(call, work),
            user_name=info.username,
            description=info.description,
            password=info.password,
        )
    return Answer(status=204)


@ROUTES.add(Route(verb="DELETE", path="/backupServers/{id}/credentials/{item}", answers=DONE))
def delete_credentials(call: Call) -> Answer:
    """Forget a user name."""
    with call.changing() as work:
        operations.delete(work, _named(call, work))
    return Answer(status=204)


@ROUTES.add(
    Route(
        verb="GET",
        path="/backupServers/{id}/passwords",
        answers=shows(PasswordKeyInfoList),
        roles=PROVIDERS,
    )
)
def get_passwords(call: Call) -> Answer:
    """All passwords of a backup server, as hints."""
    with call.reading() as work:
        found = operations.list_passwords(work, _site(call, work))
        listed = tuple(password_resource(call.root, each) for each in found)
    return Answer(resource=PasswordKeyInfoList(passwords=listed))


@ROUTES.add(
    Route(
        verb="GET",
        path="/backupServers/{id}/passwords/{item}",
        answers=shows(PasswordKeyInfo),
        roles=PROVIDERS,
    )
)
def get_password(call: Call) -> Answer:
    """The hint to one password."""
    with call.reading() as work:
        return Answer(resource=password_resource(call.root, _password(call, work)))


@ROUTES.add(
    Route(
        verb="POST",
        path="/backupServers/{id}/passwords",
        answers=adds(),
        bodies=(PasswordKeyInfoSpec,),
        action="create",
    )
)
def post_password(call: Call, spec: PasswordKeyInfoSpec) -> Answer:
    """Keep a password."""
    with call.changing() as work:
        made = operations.create_password(
            work, _site(call, work), spec.hint or "", spec.password or ""
        )
    href = f"{call.root}/backupServers/{made.backup_server_id}/passwords/{made.id}"
    return Answer(status=201, headers={"Location": href})


@ROUTES.add(
    Route(
        verb="PUT",
        path="/backupServers/{id}/passwords/{item}",
        answers=DONE,
        bodies=(PasswordKeyInfoSpec, PasswordKeyInfo),
    )
)
def put_password(call: Call, body: PasswordKeyInfoSpec | PasswordKeyInfo) -> Answer:
    """Change the hint to a password: by the spec, as published, or by its entity, sent back."""
    password = body.password if isinstance(body, PasswordKeyInfoSpec) else None
    with call.changing() as work:
        operations.edit_password(work, _password(call, work), body.hint, password)
    return Answer(status=204)


@ROUTES.add(Route(verb="DELETE", path="/backupServers/{id}/passwords/{item}", answers=DONE))
def delete_password(call: Call) -> Answer:
    """Forget a password."""
    with call.changing() as work:
        operations.delete(work, _password(call, work))
    return Answer(status=204)
