"""Keeping under a platform's rate limit before it has to say so."""

import threading
import time
from collections import deque
from collections.abc import Callable


class Pace:
    """At most `calls` in any `seconds`; safe to use from several threads.

    `clock` and `sleep` are for tests.
    """

    def __init__(
        self,
        calls: int,
        seconds: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.calls = calls
        self.seconds = seconds
        self._clock = clock
        self._sleep = sleep
        self._recent: deque[float] = deque()
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Return when one more call is allowed, and count it."""
        with self._lock:
            while True:
                now = self._clock()
                while self._recent and self._recent[0] <= now - self.seconds:
                    self._recent.popleft()
                if len(self._recent) < self.calls:
                    self._recent.append(now)
                    return
                self._sleep(self._recent[0] + self.seconds - now)
