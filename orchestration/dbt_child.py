"""dbt as a child that never outlives its parent: `python -m orchestration.dbt_child build ...`.

A dbt that goes on after its run was killed would hold the warehouse against the next run.
"""

import os
import signal
import threading
import time


def main() -> None:
    """Run dbt's command line with the arguments given."""
    from dbt.cli.main import cli

    cli()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.2)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    main()
