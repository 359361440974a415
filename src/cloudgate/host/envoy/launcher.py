"""Envoy launcher: what is a new Envoy started with, and what does it say when it ends?"""

import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from uuid import uuid4

import structlog

from cloudgate.host.envoy import hot_restart, process
from cloudgate.host.envoy.admin_client import STATISTICS
from cloudgate.host.envoy.data_path.choice import DataPath, chosen_data_path
from cloudgate.host.envoy.data_path.resources import requests_cluster, requests_listener
from cloudgate.host.envoy.endpoints import LocalEndpoints
from cloudgate.host.envoy.xds_listener import (
    ListenAddress,
    ListenerSettings,
    listener,
    requests_manager,
)
from cloudgate.host.envoy.xds_resources import Resource, bootstrap, clusters, digest
from cloudgate.host.platform import file_watches
from cloudgate.host.platform.congestion_control import congestion_control
from cloudgate.host.platform.resource_limits import capacity
from cloudgate.host.state.files import write_private
from cloudgate.host.state.paths import StatePaths

_LAST_WORDS_CHARACTERS = 600
_LAST_LINES_CHARACTERS = 64 * 1024
"""In which a crash tells of itself, with the whole of its stack."""
_CRASH = "[critical][backtrace]"
"""In the lines that Envoy's handler of SIGSEGV, SIGABRT, SIGBUS, SIGILL and SIGFPE writes."""

_NO_WATCHES = "assert failure: inotify_fd_"
"""What Envoy says where it may not watch its files: it aborts."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class ExitOutput:
    """What an Envoy has said last, and what it means."""

    lines: str

    @property
    def text(self) -> str:
        """What an operator is told: plainly, what it was short of, or else the end of its words."""
        return self.shortage or self.lines[-_LAST_WORDS_CHARACTERS:].strip()

    @property
    def shortage(self) -> str:
        """What of the machine it has ended for; empty for none."""
        return file_watches.advice() if _NO_WATCHES in self.lines else ""

    @property
    def has_crashed(self) -> bool:
        """Whether it has said that it broke: who is killed does not."""
        return _CRASH in self.lines


class EnvoyLauncher:
    """Starts the Envoy of this installation."""

    def __init__(self, paths: StatePaths, endpoints: LocalEndpoints) -> None:
        self._paths = paths
        self._endpoints = endpoints
        # What was said before this host service came is not what its Envoy dies with.
        self._log_start = _size(paths.envoy_log)
        self.data_path = chosen_data_path()
        """Which way tunnels go through the one that would be started."""

    @cached_property
    def binary(self) -> process.EnvoyBinary:
        """What would be started."""
        return process.installed_binary(_settings(self._paths, self._endpoints, self.data_path))

    def give_up_module(self, reason: str) -> None:
        """Have tunnels go by HTTP alone from now on: with the module there is no gateway."""
        if not self.data_path.module:
            return
        _log.error("envoy goes on without its module", reason=reason)
        self.data_path = DataPath(reason=reason)
        self.__dict__.pop("binary", None)  # it is another one by that

    def why_not_hot_restarted(self, before: process.ProcessRecord) -> str:
        """Why the Envoy of this installation cannot take over from `before`; empty when it can.

        Raises:
            UnavailableError: it does not say.
        """
        if not hot_restart.can_hot_restart(self.binary.path, before):
            return "no other can take over from it"
        self._write_bootstrap("")
        return hot_restart.validation_error(self.binary.path, self._paths.bootstrap)

    def launch(self, before: process.ProcessRecord | None) -> process.EnvoyProcess:
        """Start one, which is to take over from `before`; only while there is no other that is to.

        Raises:
            OSError: the disk or the system does not take what that needs.
            UnavailableError: it does not start, or cannot be told from other processes.
        """
        mark = uuid4().hex
        self._write_bootstrap(mark)
        self._log_start = _size(self._paths.envoy_log)
        place = hot_restart.next_epoch(self.binary.path, before)
        options = [*self._endpoints.command_line(mark), *hot_restart.options(self._paths, place)]
        if before is not None:
            # The new one has the old one end its own predecessor, which would abort where nobody
            # hears that.
            hot_restart.stand_in_for_parent(self._paths, before)
            hot_restart.make_way(self._paths, before)
        more = self.data_path.environment
        return process.start(self._paths, self.binary, mark, place, options, more=more)

    def last_words(self) -> ExitOutput:
        """What the one that was started last has said last."""
        try:
            with self._paths.envoy_log.open("rb") as log:
                end = log.seek(0, os.SEEK_END)
                log.seek(max(self._log_start, end - 4 * _LAST_LINES_CHARACTERS))
                text = log.read().decode("utf-8", "replace")
        except OSError:  # ENOENT, EMFILE: it is told that it ended, without its own words
            return ExitOutput("")
        return ExitOutput(text[-_LAST_LINES_CHARACTERS:].strip())

    def _write_bootstrap(self, mark: str) -> None:
        settings = _bootstrap(self._paths, self._endpoints, mark, self.data_path)
        write_private(self._paths.bootstrap, json.dumps(settings, indent=1))


def _bootstrap(
    paths: StatePaths, endpoints: LocalEndpoints, mark: str, data_path: DataPath
) -> Resource:
    internal = [requests_listener(requests_manager(paths))] if data_path.module else []
    settings = bootstrap(paths, endpoints.admin_config(mark), capacity(), internal)
    return settings | {"stats_config": STATISTICS}


def _settings(paths: StatePaths, endpoints: LocalEndpoints, data_path: DataPath) -> str:
    """The same for as long as this Cloudgate would tell Envoy the same, wherever it listens.

    Where the authorizer is, an Envoy that runs is told again when that changes.
    """
    example = [ListenAddress("0.0.0.0", 1)]  # noqa: S104
    settings = ListenerSettings(asks_for_certificates=True)
    anywhere = listener(paths, example, congestion_control(), data_path, settings)
    return digest(
        [
            _bootstrap(paths, endpoints, "", data_path),
            clusters({"address": {}}, [requests_cluster()] if data_path.module else []),
            anywhere,
        ]
    )


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0
