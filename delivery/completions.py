"""Completion: what does a shell load, to complete words of the command line? One file for each.

It asks `cloudgate` itself, so what is offered is always what is there.
"""

import re

from typer._completion_shared import get_completion_script

from cloudgate.cli.app import app

_NAME = app.info.name or ""
_ASKED_BY = re.sub(r"\W", "_", f"_{_NAME}_COMPLETE".upper())
"""What Typer calls the variable."""
_PLACES = {
    "bash": f"bash-completion/completions/{_NAME}",
    "zsh": f"zsh/vendor-completions/_{_NAME}",
    "fish": f"fish/vendor_completions.d/{_NAME}.fish",
}
# zsh loads the file as a function when it is asked for the first time, and runs it for its answer.
_AT_ONCE = f"""
if [[ "${{funcstack[1]}}" == "_{_NAME}" ]]; then
  _{_NAME}_completion "$@"
fi
"""


def scripts() -> dict[str, str]:
    """The files by where they lie below ``/usr/share``."""
    return {place: _script(shell) for shell, place in _PLACES.items()}


def _script(shell: str) -> str:
    said = get_completion_script(prog_name=_NAME, complete_var=_ASKED_BY, shell=shell).strip()
    return f"{said}\n{_AT_ONCE if shell == 'zsh' else ''}"
