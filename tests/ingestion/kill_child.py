"""Ingests the source `shop` in forked children and kills each at a drawn moment.

Arguments: seed, kills. This process imports everything but starts nothing, so that a child is
ready at once and its time is spent where a kill can hurt. One more child runs undisturbed.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

import dlt  # noqa: F401  # imported once, here

from ingestion.run import ingest
from khach.environment import load_environment

HEADER = "id,order_id,amount,paid_at\n"


def deliver(folder: Path, number: int) -> None:
    """One more file of ten rows, one of them bad."""
    rows = [f"{number}-{row},o,{row},2026-01-01 10:00:00\n" for row in range(9)]
    partial = folder / f".{number}.partial"
    partial.write_text(HEADER + "".join(rows) + "bad\n")
    partial.rename(folder / f"payments-{number:02}.csv")


def main(seed: int, kills: int) -> None:
    """Deliver, start, kill; at the end one run without a kill."""
    env, draw = load_environment(), random.Random(seed)
    folder = Path(os.environ["DELIVERED"])
    for number in range(kills + 1):
        deliver(folder, number)
        child = os.fork()
        if child == 0:
            ingest(env, "shop")
            os._exit(0)
        if number < kills:
            time.sleep(draw.uniform(0.0, 1.2))
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    sys.exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
