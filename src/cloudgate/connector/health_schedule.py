"""Health schedule: when is a gateway asked again? Rarely, unless it matters. Pure.

No tunnel waits for these answers: when a gateway is dead, the next one is tried beside it. They
tell how busy each gateway is, which others there are, and that one is back.
"""

from cloudgate.connector.load_balancing import GatewayEndpoint

BUSY_SECONDS = 5.0
"""How often, while tunnels are asked for."""
IDLE_SECONDS = 30.0
"""How often, while none is."""
LOST_SECONDS = 2.0
"""How often at first, when it was lost, and how soon when it may be."""
_SHARE_OF_ABSENCE = 0.1
"""One that was away for long may stay unnoticed for so much of that when it is back."""
_LEAST, _SPREAD = 0.8, 0.4


def is_due(gateway: GatewayEndpoint, now: float, *, dialled_at: float) -> bool:
    """Whether a gateway is to be asked now.

    Args:
        gateway: which, with what is known of it.
        now: by the clock of the event loop.
        dialled_at: when a tunnel was last asked for.
    """
    if gateway.asked_at is None:
        return True
    pause_seconds = BUSY_SECONDS if dialled_at > gateway.asked_at else IDLE_SECONDS
    if gateway.doubted_at > gateway.asked_at:
        pause_seconds = LOST_SECONDS
    if gateway.lost_at is not None:
        away_seconds = now - gateway.lost_at
        pause_seconds = min(pause_seconds, max(LOST_SECONDS, away_seconds * _SHARE_OF_ABSENCE))
    # Connectors do not ask in step.
    return now - gateway.asked_at >= pause_seconds * (_LEAST + _SPREAD * gateway.tie)
