"""Where is what the command line needs, and who is asking?"""

import os
from pathlib import Path


def default_data_folder() -> Path:
    """Where `cloudgate up` keeps its state unless told otherwise."""
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "cloudgate"
