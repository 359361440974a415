"""Container image: what lies in it, and how is it made where there is no registry?

Debian's packages, the tree that packages of distributions have too, and one user who is not root.
Manager and host service are commands of it.
"""

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from delivery import tree
from delivery.__main__ import DIST, OF_SERVERS, build, write_sums

SUITE, PYTHON = "bookworm", "3.11"
USER, UID = "cloudgate", 10001
DATA = "/var/lib/cloudgate"
_PACKAGES = (f"python{PYTHON}-minimal", f"libpython{PYTHON}-stdlib", "ca-certificates")
_LEFT_OUT = ("/usr/share/man/*", "/usr/share/locale/*", "/usr/share/doc/*", "/usr/share/info/*")
HEALTH = f"""#!/usr/bin/python{PYTHON}
import http.client, sys, urllib.request
# No proxy of the environment, say Docker's HTTP_PROXY, is asked: it would answer for itself.
here = urllib.request.build_opener(urllib.request.ProxyHandler({{}}))
try:
    here.open("http://127.0.0.1:9397/" + sys.argv[1], timeout=3)
except (OSError, http.client.HTTPException) as problem:
    sys.exit(str(problem))
"""
"""Programs that run containers ask by a command how the service inside is."""
_CONFIGURED = (
    ("--user", f"{UID}:{UID}"),
    ("--workingdir", DATA),
    ("--volume", DATA),
    ("--port", "9398"),
    ("--port", "6180"),
    ("--env", "PATH=/usr/bin:/bin"),
    ("--env", "LANG=C.UTF-8"),
    ("--env", f"CLOUDGATE_DATA={DATA}"),
    # Of both services: their health is asked for there.
    ("--env", "CLOUDGATE_METRICS_LISTEN=127.0.0.1:9397"),
    ("--entrypoint", '["/usr/bin/cloudgate"]'),
    ("--cmd", "serve"),
    ("--stop-signal", "SIGTERM"),
    ("--healthcheck", "CMD cloudgate-health readyz"),
    ("--healthcheck-start-period", "60s"),
)


_UNCHECKED = "--invalidation-mode unchecked-hash"


def make(wheel: Path, lock: Path, version: str, seconds: int, target: Path) -> Path:
    """Make the image, as an archive that container programs load; where it is.

    Args:
        wheel: of Cloudgate.
        lock: what is installed beside it, each with its hash.
        version: of Cloudgate, which is the image's tag.
        seconds: the time of all that is in it (Unix).
        target: folder of the archive.
    """
    file = target / f"cloudgate-{version}.docker.tar"
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root.tar"
        _debian(root, _staged(Path(folder) / "staged", lock, wheel, seconds), seconds)
        with _container(Path(folder) / "storage") as buildah:
            buildah("add", "--quiet", "image", str(root), "/")
            for option, value in _labelled(version):
                buildah("config", option, value, "image")
            archive = f"docker-archive:{file}:cloudgate:{version}"
            buildah("commit", "--quiet", "--timestamp", str(seconds), "image", archive)
    return file


def _staged(folder: Path, lock: Path, wheel: Path, seconds: int) -> Path:
    place = folder / tree.PLACE.relative_to("/")
    place.parent.mkdir(parents=True)
    tree.put_together(place, PYTHON, lock, wheel)
    (folder / "usr" / "bin").mkdir()
    (folder / "usr" / "bin" / "cloudgate").symlink_to("../lib/cloudgate/bin/cloudgate")
    health = folder / "usr" / "bin" / "cloudgate-health"
    health.write_text(HEALTH, "utf-8")
    health.chmod(0o755)
    tree.make_even(folder, seconds)
    return folder


def _debian(tar: Path, staged: Path, seconds: int) -> None:
    """The least Debian that runs it, with what is staged; nothing in it runs as another user."""
    excluded = [f"--dpkgopt=path-exclude={each}" for each in _LEFT_OUT]
    account = f"{USER}:x:{UID}:{UID}::{DATA}:/usr/sbin/nologin"
    hooks = (
        f'cp -a {staged}/. "$1"',
        # As it is read-only, it could not keep what it compiles.
        f'chroot "$1" python{PYTHON} -m compileall -q -f {_UNCHECKED} {tree.PLACE}',
        f'echo "{account}" >> "$1/etc/passwd"; echo "{USER}:x:{UID}:" >> "$1/etc/group"',
        f'install -d -m 700 -o {UID} -g {UID} "$1{DATA}"',
        'find "$1" -xdev -type f -perm /6000 -exec chmod a-s {} +',
        'rm -rf "$1"/var/log/* "$1"/var/cache/ldconfig/*',
    )
    subprocess.run(
        (
            "/usr/bin/mmdebstrap",
            "--quiet",
            "--variant=essential",
            f"--include={','.join(_PACKAGES)}",
            *excluded,
            "--dpkgopt=path-include=/usr/share/doc/*/copyright",
            *(f"--customize-hook={each}" for each in hooks),
            SUITE,
            str(tar),
        ),
        env={**os.environ, "SOURCE_DATE_EPOCH": str(seconds)},
        check=True,
    )


def _labelled(version: str) -> Iterator[tuple[str, str]]:
    yield from _CONFIGURED
    for name, value in (
        ("title", "Cloudgate"),
        ("description", "Cloud gateway for backup service providers"),
        ("version", version),
        ("licenses", "Apache-2.0"),
    ):
        yield "--label", f"org.opencontainers.image.{name}={value}"


@contextmanager
def _container(storage: Path) -> Iterator[Callable[..., None]]:
    """One that is empty, called image, in a storage of its own."""
    with tempfile.TemporaryDirectory() as run_root:
        where = ("--root", str(storage), "--runroot", run_root, "--storage-driver", "vfs")

        def buildah(command: str, *words: str) -> None:
            subprocess.run(
                ("/usr/bin/buildah", *where, command, *words),
                # The other format knows nothing of health.
                env={**os.environ, "BUILDAH_FORMAT": "docker"},
                check=True,
                stdout=subprocess.DEVNULL,
            )

        buildah("from", "--name", "image", "scratch")
        try:
            yield buildah
        finally:
            buildah("rm", "image")


def main() -> None:
    """Make it of the sources as they are: what lies in dist/ may be of an older commit."""
    DIST.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        seconds = build(Path(folder))
        (wheel,) = Path(folder).glob("*.whl")
        make(wheel, OF_SERVERS, wheel.name.split("-")[1], seconds, DIST)
    print(write_sums(), end="")


if __name__ == "__main__":
    main()
