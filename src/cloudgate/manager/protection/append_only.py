"""Append-only server: does one of restic's REST protocol delete what it is told to? It is tried.

What is tried is one small object, always the same: where nothing can be deleted, it stays.
https://restic.readthedocs.io/en/stable/REST_backend.html
"""

import hashlib
from urllib.parse import urlsplit

import httpx2

from cloudgate.manager.protection.rules import Protection, ProtectionFinding
from cloudgate.manager.settings.reachable import ReachableTargets
from cloudgate.manager.storage_services.answers import UnansweredError, calling, explained
from cloudgate.manager.storage_services.rules import origin_of

CONTENT = b"By this the manager sees whether what is stored here can be deleted.\n"
_NAME = hashlib.sha256(CONTENT).hexdigest()
SECONDS = 60.0
"""How long a look may take, of which each answer is one part."""
_OK, _NOT_AUTHENTICATED, _NOT_FOUND = 200, 401, 404
_REFUSALS = (403, 405)
_AS_IT_IS = {"Accept-Encoding": "identity"}


def check_append_only(
    protection: Protection, password: str, reachable: ReachableTargets
) -> ProtectionFinding:
    """Whether the server refuses to delete an object, and to write over it. Blocks.

    Raises:
        UnansweredError: nobody can say, with the reason.
    """
    with calling(protection, reachable, SECONDS) as client:
        there = _AppendOnlyServer(client, protection, password)
        if not there.has():
            there.create()
        is_kept = there.refuses("POST") & there.refuses("DELETE") & there.has()
    if is_kept:
        return ProtectionFinding(holds=True)
    return ProtectionFinding(
        holds=False,
        problem=f"The server at {there.shown} lets what is stored be deleted or written over:"
        " start it in append-only mode (rest-server and rclone: --append-only).",
    )


class _AppendOnlyServer:
    def __init__(self, client: httpx2.Client, protection: Protection, password: str) -> None:
        self._client = client
        path = urlsplit(protection.url).path.strip("/")
        self.shown = f"{origin_of(protection.url)}/{path}/"
        self._object = f"{self.shown}data/{_NAME}"
        self._auth = (protection.username, password) if password else None

    def has(self) -> bool:
        """Whether the object is there, as it was stored.

        Raises:
            UnansweredError: nobody can say, or something else is there.
        """
        status, content = self._ask("GET", self._object)
        if status not in (_OK, _NOT_FOUND):
            raise self._strange("GET", status)
        if status == _OK and content != CONTENT:  # as of who answers every path with the same page
            raise UnansweredError(
                f"The server at {self.shown} answers with something else than what is stored there:"
                " it is none of restic's REST protocol, or not in order. Correct the Url of"
                " BackupProtection."
            )
        return status == _OK

    def create(self) -> None:
        """Store the object."""
        for url, content in ((f"{self.shown}?create=true", b""), (self._object, CONTENT)):
            status, _ = self._ask("POST", url, content)
            if status != _OK:
                raise self._strange("POST", status)

    def refuses(self, verb: str) -> bool:
        """Whether the server refuses that verb of the object that is there."""
        status, _ = self._ask(verb, self._object, CONTENT if verb == "POST" else b"")
        if status != _OK and status not in _REFUSALS:
            raise self._strange(verb, status)
        return status != _OK

    def _ask(self, verb: str, url: str, content: bytes = b"") -> tuple[int, bytes]:
        """The status, and how the answer begins: somewhat more of it than `CONTENT` is long."""
        with (
            explained(self.shown),
            self._client.stream(
                verb, url, content=content or None, auth=self._auth, headers=_AS_IT_IS
            ) as response,
        ):
            found = b""
            for piece in response.iter_raw():
                found += piece
                if len(found) > len(CONTENT):
                    break
            return response.status_code, found

    def _strange(self, verb: str, status: int) -> UnansweredError:
        if status == _NOT_AUTHENTICATED:
            return UnansweredError(
                f"The server does not accept Username and Password for {self.shown} (401): correct"
                " them in BackupProtection."
            )
        return UnansweredError(
            f"The server at {self.shown} answered {status} to {verb}. Is it one of restic's REST"
            " protocol, in order, and may the user of BackupProtection store something there?"
        )
