"""How does the client that blocks come of the one that awaits? Word by word; run it to write it."""

import re
import subprocess
import sys
from pathlib import Path

CLIENT = Path(__file__).parents[3] / "src" / "cloudgate" / "client"
TWINS = {
    "asynchronous_collections.py": "blocking_collections.py",
    "asynchronous_client.py": "blocking_client.py",
}
OTHERWISE = (
    ("Asynchronous clients: how does code that awaits reach", "Clients: how does a program reach"),
    ("with the things of a kind, by code that awaits?", "with the things of a kind?"),
    ("Asynchronous collections:", "Collections:"),
    ("Several may use it at once.", "Several threads may use it at once."),
    ("cloudgate.client.asynchronous", "cloudgate.client.blocking"),
    ("[each async for each in wanted]", "list(wanted)"),
    ("__aenter__", "__enter__"),
    ("__aexit__", "__exit__"),
)


def blocking(text: str) -> str:
    """The same without waiting for others."""
    for before, after in OTHERWISE:
        text = text.replace(before, after)
    text = re.sub(r"\(await ((?:[^()]|\((?:[^()]|\([^()]*\))*\))*)\)\.", r"\1.", text)
    text = re.sub(r"\b(?:async|await) ", "", text)
    text = re.sub(r"for (\w+) in (.+):\n +yield \1\n", r"yield from \2\n", text)
    return re.sub(r"\b(_?)Async(?=[A-Z])", r"\1", text)


def written() -> dict[Path, str]:
    """What is to be in each file, as the formatter would have it."""
    made = {}
    for source, twin in TWINS.items():
        text = blocking((CLIENT / source).read_text())
        ruff = [str(Path(sys.executable).parent / "ruff")]
        name = ["--stdin-filename", str(CLIENT / twin)]
        for step in (["check", "--fix", "--select", "I", "--quiet"], ["format", "--quiet"]):
            ran = subprocess.run(
                [*ruff, *step, *name, "-"], input=text, capture_output=True, text=True, check=True
            )
            text = ran.stdout
        made[CLIENT / twin] = text
    return made


if __name__ == "__main__":
    for file, content in written().items():
        file.write_text(content)
