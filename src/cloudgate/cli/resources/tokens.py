"""Token commands: what can be done with API tokens?"""

from pathlib import Path
from typing import Annotated

import typer

from cloudgate.atomic_files import write_private
from cloudgate.cli.commands import Call, command
from cloudgate.cli.lookup import find
from cloudgate.cli.output import Columns, at
from cloudgate.cli.resources.common import Thing, body_of, group
from cloudgate.client.core import kinds
from cloudgate.errors import InvalidRequestError

KIND = kinds.TOKEN
COLUMNS: Columns = {
    "Name": at("Name"),
    "Account": at("Account"),
    "Role": at("Role"),
    "ExpirationTime": at("ExpirationTime"),
    "LastUseTime": at("LastUseTime"),
}
app = group(KIND, COLUMNS, "API tokens: what programs show in place of a password.")


@command(app, "create")
def create(
    call: Call,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is for.")],
    role: Annotated[
        str, typer.Option(metavar="NAME", help="A role that you have, or Metrics.")
    ] = "Portal User",
    days: Annotated[
        int | None,
        typer.Option(min=1, max=366, help="When it ends. [90]", show_default=False),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write it there, for you alone, and not to the screen.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Make an API token; it is shown once."""
    answer = call.api.post(KIND.path, body_of(Name=name, Role=role, ValidDays=days))
    if file is None:
        call.screen.details(answer)
        return
    try:
        write_private(file, f"{answer.body['Secret']}\n")
    except OSError as problem:
        call.api.delete(f"{KIND.path}/{str(answer.body['UID']).rpartition(':')[2]}")
        raise InvalidRequestError(
            f"Cannot write {file}: {problem.strerror}. No token was left behind."
        ) from None
    call.screen.remark(f"Made {name}; it is in {file}.")


@command(app, "revoke")
def revoke(call: Call, name: Thing) -> None:
    """Have a token be refused from now on."""
    call.api.delete(find(call.api, KIND, name).path)
    call.screen.remark(f"Revoked {name}.")
