"""Greeting: what does an operator need to know who has just started a manager?"""

import shutil
import socket
import sys
from pathlib import Path

from cloudgate.cli.service.manager.options import Options
from cloudgate.cli.settings import usual_data_folder
from cloudgate.client.core.addresses import DEFAULT_PORT


def greet(options: Options, password: str | None) -> None:
    """What the operator needs to go on."""
    url = f"https://localhost:{options.port}"
    say(f"console   {url}/console/")
    say(f"API       {url}/api/")
    say(f"trust     {options.data / 'tls' / 'ca.pem'}")
    if password is not None:
        say("user      admin")
        say(f"password  {password}   (shown this once)")
        say("")
        say("Next, in another terminal:")
        for line in _next_commands(options):
            say(f"  {line}")
        say("")
    say("ready")


def _next_commands(options: Options) -> tuple[str, ...]:
    shown = _shown_program()
    settings = ""
    if options.data != usual_data_folder():
        settings += f"--ca {options.data / 'tls' / 'ca.pem'} "
    if options.port != DEFAULT_PORT:
        settings += f"--url https://localhost:{options.port} "
    return (
        f"{shown} {settings}gateway create {socket.gethostname()}",
        (
            f"{shown} {settings}repository create vault --endpoint vault.example:8443"
            " --address 127.0.0.1:8443"
        ),
        f"{shown} {settings}tenant create acme --repository vault=100 --generate-password",
    )


def _shown_program() -> str:
    """How a person in this folder types the command line's name."""
    program = Path(sys.executable).with_name("cloudgate")
    if found := shutil.which("cloudgate"):
        return "cloudgate" if Path(found).samefile(program) else str(program)
    here = Path.cwd()
    return str(program.relative_to(here)) if program.is_relative_to(here) else str(program)


def say(text: str) -> None:
    """Tell whoever has started it; at once, also where that is a file."""
    print(text, flush=True)
