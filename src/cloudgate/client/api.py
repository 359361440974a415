"""API: how does a program that waits ask the REST API, body by body? As the command line does."""

from typing import Protocol, TypeVar

from cloudgate.client.core.conversation import Conversation
from cloudgate.client.core.exchange import Answer, Request, Steps
from cloudgate.client.core.kinds import Json

T = TypeVar("T")


class Driver(Protocol):
    """Carries out steps, and blocks meanwhile."""

    def run(self, steps: Steps[T]) -> T:
        """What they come to."""


class Api:
    """One installation's REST API, as one user sees it. Connects with the first request."""

    def __init__(self, talk: Conversation, driver: Driver) -> None:
        self.talk = talk
        self._driver = driver

    @property
    def url(self) -> str:
        """The manager's address."""
        return self.talk.url

    def run(self, steps: Steps[T]) -> T:
        """What steps come to."""
        return self._driver.run(steps)

    def get(self, path: str) -> Answer:
        """Read what is at a path below ``/api``, or at an Href that the API gave."""
        return self.run(self.talk.get(path))

    def post(self, path: str, body: Json | None = None) -> Answer:
        """Add to a collection, or do an action."""
        return self.run(self.talk.ask(Request("POST", path, body)))

    def put(self, path: str, body: Json) -> Answer:
        """Change what is at a path."""
        return self.run(self.talk.ask(Request("PUT", path, body)))

    def put_by_password(self, path: str, body: Json) -> Answer:
        """Change what the user's own name and password are shown for; no session is begun."""
        return self.run(self.talk.ask_by_password(Request("PUT", path, body)))

    def post_by_password(self, path: str, body: Json) -> Answer:
        """The same for what is asked for."""
        return self.run(self.talk.ask_by_password(Request("POST", path, body)))

    def delete(self, path: str) -> Answer:
        """Remove what is at a path."""
        return self.run(self.talk.ask(Request("DELETE", path)))

    def log_off(self) -> bool:
        """End the logon session that is kept. False when none is."""
        return self.run(self.talk.log_off())
