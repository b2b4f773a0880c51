"""A bound on how often requests are sent, shared by all that are in flight."""

from __future__ import annotations

import asyncio


class Pace:
    """Sends requests at least `60 / per_minute` seconds apart, in the order in which they came.

    Evenly spaced rather than counted by the minute: a burst at the start of a minute is refused by servers that
    count over shorter windows. 0 is no bound.

    >>> pace = Pace(120)
    >>> [pace.reserve(now) for now in (10.0, 10.0, 10.25, 20.0)]
    [0.0, 0.5, 0.75, 0.0]
    """

    def __init__(self, per_minute: float) -> None:
        self._gap = 60 / per_minute if per_minute else 0.0
        self._next = 0.0

    def reserve(self, now: float) -> float:
        """Take the next free moment and give the seconds from `now` until it comes."""
        moment = max(now, self._next)
        self._next = moment + self._gap
        return moment - now

    async def turn(self) -> None:
        """Return when it is this caller's turn to send. A caller cancelled in the wait leaves its moment unused."""
        wait = self.reserve(asyncio.get_running_loop().time())
        if wait > 0:
            await asyncio.sleep(wait)
