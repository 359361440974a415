"""Commands of a product that runs, as its operator types them."""

import os
import subprocess
import sys

from tests.support.running.product import PASSWORD, Product


def cloudgate(started: Product, *arguments: str) -> str:
    """What a command prints."""
    done = subprocess.run(
        [sys.executable, "-m", "cloudgate", *arguments],
        env={
            **os.environ,
            "HOME": str(started.data.parent),
            "CLOUDGATE_URL": started.url,
            "CLOUDGATE_CA": str(started.ca_file),
            "CLOUDGATE_PASSWORD": PASSWORD,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
