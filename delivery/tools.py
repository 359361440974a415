"""Tools: where are the programs that build? In an environment of their own."""

from pathlib import Path

ROOT = Path(__file__).parent.parent
TOOLS = ROOT / ".venv" / "dist" / "bin"
