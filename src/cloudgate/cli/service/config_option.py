"""The option --config: which settings does the file say that a service was started with?"""

from pathlib import Path
from typing import Any

import typer

from cloudgate.cli.failures import failing_in_words

FROM_FILE = "cloudgate.variables"
"""Among what a command knows: variables of the environment that its file has set."""


def config_option(*, of_hosts: bool) -> Any:
    """An option that names a file with settings, which is read before all others.

    `of_hosts`: whether it may say also what the host service reads from the environment alone.
    """

    def use(ctx: typer.Context, config: Path | None) -> Path | None:
        if config is None:
            return None
        from cloudgate.cli.service.settings_file import OF_HOSTS, use_file  # noqa: PLC0415

        with failing_in_words():
            ctx.meta[FROM_FILE] = use_file(ctx, config, OF_HOSTS if of_hosts else ())
        return config

    return typer.Option(
        metavar="FILE",
        is_eager=True,
        callback=use,
        help="File with these settings, in TOML; options and environment win.",
        show_default=False,
    )
