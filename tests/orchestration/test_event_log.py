"""Dagster's event log with its files kept open: the same files, and nothing lost by a kill."""

import signal
import subprocess
import sys
from pathlib import Path

from dagster import DagsterInstance, DagsterRun
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.test_utils import create_run_for_test

from khach.environment import Environment
from orchestration.event_log import OpenEventLog
from orchestration.instance import prepare_home

TOLD = """
import sys
from dagster import DagsterInstance
with DagsterInstance.from_config(sys.argv[1]) as instance:
    run = instance.get_run_by_id(sys.argv[2])
    for number in range(50):
        instance.report_engine_event(f"event {number}", run)
    print("told", flush=True)
    sys.stdin.read()
"""


def _read_by_dagsters_own(env: Environment, run: DagsterRun) -> list[str]:
    """The messages in the files, as Dagster's own storage finds them."""
    storage = SqliteEventLogStorage(str(_folder(env)))
    entries = storage.get_logs_for_run(run.run_id)
    return [str(entry.get_dagster_event().message) for entry in entries]


def _folder(env: Environment) -> Path:
    return env.dagster_home / "storage" / "history" / "runs"


def test_a_killed_process_loses_no_event_and_dagsters_own_storage_reads_it(
    env: Environment,
) -> None:
    prepare_home(env)
    with DagsterInstance.from_config(str(env.dagster_home)) as instance:
        assert type(instance.event_log_storage) is OpenEventLog
        run = create_run_for_test(instance, job_name="daily")
    told = subprocess.Popen(
        [sys.executable, "-c", TOLD, str(env.dagster_home), run.run_id],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert told.stdout is not None
    assert told.stdout.readline() == "told\n"
    told.send_signal(signal.SIGKILL)
    told.wait()
    assert _read_by_dagsters_own(env, run) == [f"event {number}" for number in range(50)]


def test_what_another_process_wrote_is_seen_and_few_files_are_open(env: Environment) -> None:
    prepare_home(env)
    with DagsterInstance.from_config(str(env.dagster_home)) as instance:
        runs = [create_run_for_test(instance, job_name="daily") for _ in range(4)]
        for run in runs:
            instance.report_engine_event("ours", run)
        other = SqliteEventLogStorage(str(_folder(env)))
        other.register_instance(instance)
        for run in runs:
            (event,) = other.get_logs_for_run(run.run_id)
            other.store_event(event)
            assert len(instance.event_log_storage.get_logs_for_run(run.run_id)) == 2
        held = {Path(file) for file in _open_files() if file.endswith(".db")}
        assert len({file for file in held if file.parent == _folder(env)}) <= 2
    held = {Path(file) for file in _open_files()}
    assert not {file for file in held if file.parent == _folder(env)}


def _open_files() -> list[str]:
    import psutil

    return [found.path for found in psutil.Process().open_files()]
