"""A managed server that measures folders, and says what the test says."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cloudgate.protocol import Answer, DirectoryProbe, DirectorySize
from tests.support.running.host import ScriptedHost
from tests.support.waiting import PATIENCE_SECONDS


def directory_probe(host: ScriptedHost, path: str = "/srv/backups/{tenant}") -> dict[str, Any]:
    return {"Method": "Directory", "ManagedServerUid": str(host.server_id), "Path": path}


@contextmanager
def measuring_host(
    host: ScriptedHost, *answers: DirectorySize | None
) -> Iterator[list[DirectoryProbe]]:
    """The host answers as many questions, one after the other; what it was asked."""
    asked: list[DirectoryProbe] = []

    def answer() -> None:
        for measured in answers:
            while (question := host._poll().question) is None:
                pass
            assert question.measure is not None
            asked.append(question.measure)
            said = Answer(machine=host.facts.machine, question=question.question, measured=measured)
            host.client.post("/answer", content=said.model_dump_json()).raise_for_status()

    thread = threading.Thread(target=answer)
    thread.start()
    yield asked
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()
