"""Secrets: how do the keys of an installation come to another manager on its database?

As a sealed file with the certificate authority, those who issue in its name, and the sealing key.
"""

import base64
import io
import json
import shutil
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from cloudgate import __version__
from cloudgate.atomic_files import PRIVATE, PUBLIC, new_private, write_private, write_public
from cloudgate.errors import CloudgateError
from cloudgate.manager.backups.files import told_what_to_do
from cloudgate.manager.security import installation
from cloudgate.manager.security.authority import fingerprint, open_authority
from cloudgate.manager.security.sealed_files import SealedReader, SealedWriter, SealingSecret
from cloudgate.manager.security.sealing import open_sealing
from cloudgate.named_files import opened

KIND = "secrets"
CALLED = "a file of secrets that a manager has exported"
KEYS = {"tls/ca.key": PRIVATE, "tls/ca.pem": PUBLIC, "sealing.key": PRIVATE}
ISSUERS = {"tls/manager-issuer.pem": PRIVATE, "tls/gateway-issuer.pem": PRIVATE}
"""A root of an early release has none."""


def export_secrets(data: Path, file: Path, secret: SealingSecret, now: datetime) -> str:
    """Write the keys of a data folder into a new file. Returns the authority's fingerprint.

    Raises:
        CloudgateError: they are not there or damaged, or the file is there or cannot be written.
    """
    with told_what_to_do(data, f"The file {file}"):
        missing = [name for name in KEYS if not (data / name).exists()]
        if missing:
            raise CloudgateError(
                f"There are no keys of a manager in {data}; missing there: {', '.join(missing)}."
                " Name the manager's data folder with --data."
            )
        known = _fingerprint(data)
        names = [name for name in (*KEYS, *ISSUERS) if (data / name).exists()]
        found = {name: base64.b64encode((data / name).read_bytes()).decode() for name in names}
        with new_private(file) as target:
            about = {"made_at": now.isoformat(timespec="seconds"), "release": __version__}
            writer = SealedWriter(target, secret, KIND, about)
            writer.write(json.dumps(found).encode())
            writer.finish()
    return known


def import_secrets(file: Path, data: Path, secret: SealingSecret) -> str:
    """Bring keys into a data folder that has none, and no manager uses. Returns the fingerprint.

    Keys that are there are the same ones: an import that was killed is gone on with.

    Raises:
        CloudgateError: it has others; the file is something else, damaged, or sealed with another
            secret; or the folder cannot be written. It is as it was before then.
    """
    with told_what_to_do(data, f"What is in {file}"):
        found = _read(file, secret)
    with installation.locked(data), told_what_to_do(data, f"What is in {file}"):
        present = [name for name in found if (data / name).exists()]
        same = [name for name in present if (data / name).read_bytes() == found[name]]
        if all(name in same for name in KEYS):
            return _fingerprint(data)
        if others := [name for name in KEYS if name in present and name not in same]:
            raise CloudgateError(
                f"There are other keys in {data} already ({', '.join(others)}), and they are left"
                " alone. Choose another folder with --data; or, if nobody needs them, move them"
                " away."
            )
        installation.see_that_no_restore_was_cut_short(data)
        known = _fingerprint_of(found, data / installation.IMPORTING)
        try:
            # What is looked for first is written last: a folder with some of them is not whole.
            for name, mode in {**ISSUERS, **KEYS}.items():
                if name in found and name not in same:
                    write = write_public if mode == PUBLIC else write_private
                    write(data / name, found[name])
        except BaseException:
            for name in found.keys() - set(present):
                (data / name).unlink(missing_ok=True)
            raise
    return known


def _fingerprint_of(found: Mapping[str, bytes], staging: Path) -> str:
    """As `_fingerprint`, of keys that are in no data folder yet."""
    shutil.rmtree(staging, ignore_errors=True)
    try:
        (staging / "tls").mkdir(mode=0o700, parents=True)
        for name, content in found.items():
            write_private(staging / name, content)
        return _fingerprint(staging)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _fingerprint(data: Path) -> str:
    """Of the authority; keys that are damaged or do not fit each other are named."""
    authority = open_authority(data / "tls")
    open_sealing(data)
    return fingerprint(authority.certificate)


def _read(file: Path, secret: SealingSecret) -> dict[str, bytes]:
    with opened(file) as sealed:
        reader = SealedReader(sealed, secret, KIND, str(file), CALLED)
        text = io.BufferedReader(reader).read()
    try:
        found = {
            name: base64.b64decode(content, validate=True)
            for name, content in json.loads(text).items()
            if name in KEYS or name in ISSUERS
        }
    except (ValueError, AttributeError, TypeError):
        found = {}
    if not found.keys() >= KEYS.keys():
        raise CloudgateError(f"{file} does not hold all keys of a manager. Export them again.")
    return found
