"""Which commands are there?"""

import typer

from cloudgate.cli import services

app = typer.Typer(help="A cloud gateway for backup service providers.", no_args_is_help=True)
services.register(app)


def main() -> None:
    """The console script."""
    app()
