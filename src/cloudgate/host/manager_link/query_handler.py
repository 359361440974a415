"""Query handler: what does this host answer to the manager's questions?"""

from dataclasses import asdict

from cloudgate.errors import UnavailableError
from cloudgate.host.manager_link.disk_usage import DiskUsageWorker
from cloudgate.host.platform.machine import machine_mark
from cloudgate.host.tunnels.accounting import Tunnel
from cloudgate.host.tunnels.closer import TunnelCloser
from cloudgate.host.tunnels.tracker import TunnelTracker
from cloudgate.protocol import Answer, LiveTunnel, Question
from cloudgate.protocol.bounds import MOST_BYTES, MOST_TUNNELS, bounded, readable


class QueryHandler:
    """Says which tunnels are live, ends those that an operator closes, has folders measured."""

    def __init__(self, tracker: TunnelTracker, closer: TunnelCloser) -> None:
        self._tracker = tracker
        self._closer = closer
        self.measuring = DiskUsageWorker()
        """What takes longer than a question may."""

    def answer(self, question: Question) -> Answer | None:
        """The answer; None when it comes later, from `measuring`."""
        if question.measure is not None:
            self.measuring.ask(question)
            return None
        self._tracker.poll()
        live = self._tracker.live
        unwanted = [each for each in live if each.tunnel in question.end_tunnels]
        reason = ""
        if unwanted:
            try:
                self._closer.terminate(unwanted, "the operator closed it")
            except UnavailableError as error:
                unwanted, reason = [], error.message
        return Answer(
            machine=machine_mark(),
            question=question.question,
            tunnels=tuple(_shown(each) for each in live[:MOST_TUNNELS]),
            ended=tuple(each.tunnel for each in unwanted),
            reason=readable(reason),
        )


def _shown(tunnel: Tunnel) -> LiveTunnel:
    """A tunnel, from where it comes also behind a load balancer."""
    said = {
        "client": tunnel.came_from or tunnel.client,
        "bytes_up": bounded(tunnel.bytes_up, MOST_BYTES),
        "bytes_down": bounded(tunnel.bytes_down, MOST_BYTES),
    }
    return LiveTunnel.model_validate({**asdict(tunnel), **said})
