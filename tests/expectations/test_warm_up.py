"""Great Expectations is made ready once, whichever thread asks first."""

import subprocess
import sys

from khach.environment import PROJECT

RACE = """
import threading
from expectations.engine import warm_up

start, found = threading.Barrier(4), []

def go():
    start.wait()
    found.append(warm_up())

threads = [threading.Thread(target=go) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(found) == 4, f"{len(found)} of 4 threads have a context"
assert len(set(map(id, found))) == 1, "each thread has its own"
"""


def test_threads_that_ask_at_once_get_one_context() -> None:
    """In a process of its own: a data source registers once in the life of one."""
    done = subprocess.run(
        [sys.executable, "-c", RACE], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
