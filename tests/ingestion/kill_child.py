"""Works on the source `shop` in forked children and kills each at a drawn Python call.

Arguments: seed, kills, `ingest` or `replay` (then DEFECTIVE and REPAIRED are two configurations:
each file is ingested under the first, and its bad row replayed, and killed, under the second).
This process imports everything but starts nothing. The first child runs undisturbed and counts its
calls; each of the next is killed at a call drawn below that number, so that the kills do not
depend on how busy the machine is. The last child runs undisturbed again.
"""

import itertools
import os
import random
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dlt  # noqa: F401  # imported once, here

from ingestion.replay import replay
from ingestion.run import ingest
from khach.environment import load_environment

HEADER = "id,order_id,amount,paid_at\n"


def deliver(folder: Path, number: int) -> None:
    """One more file of ten rows, one of them bad."""
    rows = [f"{number}-{row},o,{row},2026-01-01 10:00:00\n" for row in range(9)]
    partial = folder / f".{number}.partial"
    partial.write_text(HEADER + "".join(rows) + f'{number}-9,o,"9,5",2026-01-01 10:00:00\n')
    partial.rename(folder / f"payments-{number:02}.csv")


def prepare(folder: Path, number: int, work: Callable[..., object]) -> None:
    """One more file; for a replay it is ingested, undisturbed, before it is repaired."""
    deliver(folder, number)
    if work is replay:
        environment = load_environment()
        config = environment.config / "sources.yml"
        config.write_text(os.environ["DEFECTIVE"])
        child = os.fork()
        if child == 0:
            ingest(environment, "shop")
            os._exit(0)
        os.waitpid(child, 0)
        config.write_text(os.environ["REPAIRED"])


def counted(work: Callable[..., object], kill_at: int | None) -> int:
    """Work in this process; the calls it took, unless it is killed at one of them."""
    calls = itertools.count(1)
    taken = 0

    def profile(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal taken
        if event == "call":
            taken = next(calls)
            if taken == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    threading.setprofile(profile)
    sys.setprofile(profile)
    work(load_environment(), "shop")
    sys.setprofile(None)
    return taken


def run_child(work: Callable[..., object], kill_at: int | None) -> int:
    """Fork, work there; the calls it took, 0 when it was killed, raises when it failed."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, str(counted(work, kill_at)).encode())
        os._exit(0)
    os.close(writer)
    _, status = os.waitpid(child, 0)
    calls = os.read(reader, 32)
    os.close(reader)
    if os.waitstatus_to_exitcode(status) not in (0, -signal.SIGKILL):
        sys.exit(f"the child failed with status {status}")
    return int(calls or 0)


def main(seed: int, kills: int, name: str) -> None:
    """Deliver, start, kill; at the end one run without a kill. Prints where it killed."""
    draw, folder = random.Random(seed), Path(os.environ["DELIVERED"])
    work: Callable[..., object] = replay if name == "replay" else ingest
    prepare(folder, 0, work)
    total = run_child(work, None)
    for number in range(1, kills + 1):
        prepare(folder, number, work)
        kill_at = draw.randrange(1, total)
        print(f"kill at call {kill_at} of {total}", flush=True)  # noqa: T201
        run_child(work, kill_at)
    prepare(folder, kills + 1, work)
    run_child(work, None)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
