"""dbt as a child that never outlives its parent: `python -m orchestration.dbt_child build ...`.

A dbt that goes on after its run was killed would hold the warehouse against the next run.
"""

import gc
import os
import signal
import threading
import time
from functools import wraps
from typing import Any


def main() -> None:
    """Run dbt's command line with the arguments given."""
    # The manifest stays for good, and looking for garbage in it time and again is a tenth of dbt.
    gc.set_threshold(100_000, 50, 100)
    from dbt.cli.main import cli

    say_only_what_is_heard()
    cli()


def say_only_what_is_heard() -> None:
    """Keep dbt from writing out debug messages that no log takes: thousands, in JSON, each build.

    What a log of its own level takes is not touched, and neither is what may become an error.
    """
    from dbt_common.events.base_types import EventLevel
    from dbt_common.events.event_manager import EventManager

    fire, quiet = EventManager.fire_event, (EventLevel.DEBUG, EventLevel.TEST)

    @wraps(fire)
    def fire_event(
        self: Any,
        e: Any,
        level: Any = None,
        node: Any = None,
        force_warn_or_error_handling: bool = False,
    ) -> None:
        is_heard = self.callbacks or any(log.level in quiet for log in self.loggers)
        if is_heard or force_warn_or_error_handling or (level or e.level_tag()) not in quiet:
            fire(self, e, level, node, force_warn_or_error_handling)

    EventManager.fire_event = fire_event  # type: ignore[method-assign]


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.2)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    main()
