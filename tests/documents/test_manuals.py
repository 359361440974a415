"""Does man have a page for each command, and do shells complete what there is?"""

import gzip
import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from delivery import manuals

DAY = datetime(2026, 1, 1, tzinfo=UTC)
INSTALLED = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
COMPLETES = {
    "bash": """source bash-completion/completions/cloudgate
COMP_WORDS=(cloudgate ten); COMP_CWORD=1; _cloudgate_completion cloudgate
echo "${COMPREPLY[@]}" """,
    "zsh": """compdef() { : }; _arguments() { print -r -- "$@" }
fpath=($PWD/zsh/vendor-completions); autoload -Uz _cloudgate
words=(cloudgate ten); CURRENT=2; _cloudgate""",
    "fish": """source fish/vendor_completions.d/cloudgate.fish; complete -C "cloudgate ten" """,
}


@pytest.fixture(scope="module")
def share(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("share")
    manuals.write(folder, DAY)
    return folder


def needed(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"needs {program}, which make test installs as root")
    return found


def rendered(*pages: Path) -> str:
    done = subprocess.run(
        [needed("mandoc"), "-Tascii", "-Wwarning", "-Owidth=500", *pages],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert not done.stderr
    return re.sub(".\b", "", done.stdout)


def test_pages_have_no_fault_and_each_option_as_its_declaration_has_it(
    share: Path, tmp_path: Path
) -> None:
    known = manuals.commands()
    assert len(known) > 100
    files = [tmp_path / f"{words.replace(' ', '-')}.1" for words in known]
    for each in files:  # mandoc unpacks only the first
        packed = (share / "man" / "man1" / f"{each.name}.gz").read_bytes()
        each.write_bytes(gzip.decompress(packed))
    _, *shown = re.split(r"^(CLOUDGATE[A-Z-]*)\(1\) .*$", rendered(*files), flags=re.MULTILINE)
    by_title = dict(zip(shown[::2], shown[1::2], strict=True))
    for words, command in known.items():
        page = by_title[words.replace(" ", "-").upper()]
        for parameter in command.params:
            if not parameter.hidden and parameter.help:
                typed = parameter.opts if parameter.param_type_name == "option" else []
                said = {*typed, *parameter.help.split()}
                assert said <= set(re.split(r"[\s,]+(?<!\w,)|,", page)) | set(page.split()), words


def test_the_name_of_a_page_is_what_apropos_finds(share: Path) -> None:
    page = gzip.decompress((share / "man/man1/cloudgate-gateway-drain.1.gz").read_bytes()).decode()
    name = page.split(".SH ")[1].split("\n", 1)[1]
    assert re.fullmatch(r"cloudgate\\-gateway\\-drain \\- [a-z].*[^.]\n", name)


def test_pages_are_the_same_bytes_each_time(share: Path, tmp_path: Path) -> None:
    manuals.write(tmp_path, DAY)
    files = [each.relative_to(share) for each in share.rglob("*") if each.is_file()]
    assert len(files) > 100
    assert all((tmp_path / each).read_bytes() == (share / each).read_bytes() for each in files)


@pytest.mark.parametrize("shell", COMPLETES)
def test_a_shell_completes_commands(share: Path, shell: str) -> None:
    none = {"zsh": ["-f"], "fish": ["--no-config"], "bash": ["--norc"]}[shell]
    done = subprocess.run(
        [needed(shell), *none, "-c", COMPLETES[shell]],
        cwd=share,
        env=INSTALLED,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert not done.stderr
    assert "tenant" in re.findall(r"\w+", done.stdout)
    assert "gateway" not in done.stdout
