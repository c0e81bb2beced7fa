"""One run at a time; the kernel frees the lock of a killed process."""

import signal
import subprocess
import sys

import pytest

from khach.environment import PROJECT, Environment
from khach.errors import BusyError
from khach.lock import lock_holder, run_lock

HOLDER = """
import time
from khach.environment import load_environment
from khach.lock import run_lock
with run_lock(load_environment(), "khach run"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(env: Environment):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, cwd=PROJECT, text=True
    )
    assert process.stdout and process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_second_process_is_told_who_holds_the_lock(env: Environment, holder) -> None:
    with pytest.raises(BusyError) as refused, run_lock(env, "khach backup", wait_seconds=0.1):
        pass
    assert f"process {holder.pid}" in refused.value.message
    assert "khach run" in refused.value.message
    found = lock_holder(env)
    assert found is not None
    assert (found.pid, found.purpose) == (holder.pid, "khach run")


def test_a_killed_holder_frees_the_lock_at_once(env: Environment, holder) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert lock_holder(env) is None
    with run_lock(env, "khach run", wait_seconds=0):
        pass


def test_nested_use_in_one_process_passes_and_keeps_the_outer_lock(env: Environment) -> None:
    with run_lock(env, "khach run"):
        with run_lock(env, "khach publish"):
            pass
        found = lock_holder(env)
        assert found is not None
        assert found.purpose == "khach run"
    assert lock_holder(env) is None
