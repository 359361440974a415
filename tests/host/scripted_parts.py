"""Parts of a gateway that do as a test says, for what is asked of them by others."""

from uuid import UUID

from cloudgate.errors import UnavailableError


class EmptyGateway:
    """Carries nothing, so that nobody has too much."""

    live_tunnels = 0

    def is_full(self, _address: str) -> bool:
        """Nobody has as many connections as one may have."""
        return False


class ScriptedPacer:
    """A shaper that slows as the test says, and notes whom."""

    def __init__(self, limit_bytes: int | None) -> None:
        self.limit_bytes = limit_bytes
        self.rates: dict[str, int] = {}
        """Of each connection that was slowed."""
        self.problem: UnavailableError | None = None
        """Why no connection can be slowed."""
        self.blindness: UnavailableError | None = None
        """Why nothing can be seen of tunnels that end."""

    def limit_of(self, _: UUID) -> int | None:
        """The same for all."""
        return self.limit_bytes

    def slow(self, client: str, rate_bytes: int) -> str:
        """Note it."""
        if self.problem:
            raise self.problem
        self.rates[client] = rate_bytes
        return client

    def take_in_news(self, _: UUID) -> None:
        """There are none."""
        if self.blindness:
            raise self.blindness

    def make_room(self, _: UUID) -> None:
        """There is room."""
