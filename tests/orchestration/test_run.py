"""Around the job: the lock, what killed runs left, and what is refused before anything runs."""

import os
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pytest
from dagster import DagsterInstance, DagsterRunStatus
from dagster._core.test_utils import create_run_for_test

from khach.environment import Environment
from khach.errors import BusyError, ConfigError, GateError, KhachError, StoppedError
from khach.runs import start_stage
from khach.state import open_state
from orchestration.instance import RUN_TAG, forget_old_runs, prepare_home, settle_dead_runs
from orchestration.run import run_job
from orchestration.session import Session, complete, open_session

HOLDER = """
from khach.environment import load_environment
from khach.lock import run_lock
with run_lock(load_environment(), "khach run"):
    print("held", flush=True)
    input()
"""


@pytest.fixture(autouse=True)
def _no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("khach.report.write_report", lambda _env: None)


def test_a_second_run_is_busy_names_the_holder_and_a_kill_frees_the_lock(
    shop: Environment,
) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(BusyError, match=str(holder.pid)):
        run_job(shop)
    holder.kill()
    holder.wait()
    with open_session(shop):
        pass


def test_a_mistake_in_the_configuration_runs_nothing(shop: Environment) -> None:
    (shop.config / "sources.yml").write_text("sources: {shop: {kind: fax}}", encoding="utf-8")
    with pytest.raises(ConfigError, match="fax"):
        run_job(shop)
    assert not shop.state.exists()


def test_an_earlier_as_of_never_runs_in_the_home_of_the_present(shop: Environment) -> None:
    with pytest.raises(ConfigError, match="earlier"), open_session(shop, day=date(2020, 1, 1)):
        pass
    assert not shop.dbt_vars.exists()


def test_stages_that_a_killed_run_left_running_are_failed_by_the_next(shop: Environment) -> None:
    start_stage(shop, "r0", "build")
    with open_session(shop):
        pass
    with open_state(shop) as state:
        found = state.execute("select status from runs where run_id = 'r0'").fetchall()
    assert found == [("failed",)]


def test_a_run_stopped_by_hand_says_so(
    shop: Environment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def press_ctrl_c(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(60)

    monkeypatch.setattr("orchestration.run._warm_up", lambda _: None)
    monkeypatch.setattr("orchestration.stages.ingest_source", press_ctrl_c)
    assert run_job(shop, select=["ingest"]) == StoppedError.exit_code
    assert "stopped by hand" in capsys.readouterr().err
    with open_state(shop) as state:
        found = state.execute("select distinct status, message from runs where stage = 'run'")
        assert found.fetchall() == [("failed", "stopped by hand")]


def test_a_session_stopped_by_hand_is_no_success(shop: Environment) -> None:
    with pytest.raises(KeyboardInterrupt), open_session(shop):
        raise KeyboardInterrupt
    with open_state(shop) as state:
        found = state.execute("select status from runs where stage = 'run'").fetchall()
    assert found == [("failed",)]


def test_dagster_runs_of_dead_processes_fail_and_give_their_pool_back(env: Environment) -> None:
    prepare_home(env)
    with DagsterInstance.from_config(str(env.dagster_home)) as instance:
        dead = create_run_for_test(
            instance, job_name="daily", status=DagsterRunStatus.STARTED, tags={RUN_TAG: "r0"}
        )
        foreign = create_run_for_test(instance, job_name="daily", status=DagsterRunStatus.STARTED)
        storage = instance.event_log_storage
        storage.initialize_concurrency_limit_to_default("warehouse")
        assert storage.claim_concurrency_slot("warehouse", dead.run_id, "dbt").is_claimed
        assert not storage.claim_concurrency_slot("warehouse", foreign.run_id, "dbt").is_claimed

        assert settle_dead_runs(instance) == [dead.run_id]

        settled = instance.get_run_by_id(dead.run_id)
        untouched = instance.get_run_by_id(foreign.run_id)
        assert settled is not None
        assert untouched is not None
        assert settled.status == DagsterRunStatus.FAILURE
        assert untouched.status == DagsterRunStatus.STARTED
        assert storage.claim_concurrency_slot("warehouse", foreign.run_id, "dbt").is_claimed


def test_only_the_newest_runs_keep_their_events(
    env: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestration.instance.KEPT_RUNS", 2)
    prepare_home(env)
    with DagsterInstance.from_config(str(env.dagster_home)) as instance:
        made = [create_run_for_test(instance, job_name="daily").run_id for _ in range(3)]
        assert forget_old_runs(instance) == 1
        assert {run.run_id for run in instance.get_runs()} == set(made[1:])


def test_dbt_does_not_outlive_the_process_that_started_it(tmp_path: Path) -> None:
    script = (
        "import threading, os\n"
        "from orchestration import dbt_child\n"
        "threading.Thread(target=dbt_child._end_with, args=(os.getppid(),), daemon=True).start()\n"
        "print(os.getpid(), flush=True)\n"
        "import time; time.sleep(60)\n"
    )
    starter = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {script!r}])"
    parent = subprocess.Popen([sys.executable, "-c", starter], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    parent.stdout.readline()
    parent.kill()
    parent.wait()
    killed_at = time.monotonic()
    parent.stdout.read()  # ends when the child, which holds the pipe and would sleep on, has ended
    assert time.monotonic() - killed_at < 30


def test_telemetry_is_off_and_nothing_lies_outside_the_home(env: Environment) -> None:
    prepare_home(env)
    with DagsterInstance.from_config(str(env.dagster_home)) as instance:
        assert not instance.telemetry_enabled
        assert str(env.dagster_home) in str(instance.storage_directory())
        assert instance.get_concurrency_config().pool_config.default_pool_limit == 1


@pytest.mark.parametrize(
    ("errors", "code"),
    [
        ([], 0),
        ([KhachError("a")], 1),
        ([BusyError("a"), KhachError("b")], 1),
        ([BusyError("a"), GateError("b")], 3),
        ([KhachError("a"), ConfigError("b")], 2),
        ([BusyError("a")], 4),
    ],
)
def test_the_exit_code_is_that_of_the_gravest_error(
    env: Environment, errors: list[KhachError], code: int
) -> None:
    assert Session(env, "r1", errors=errors).exit_code() == code


def test_who_publishes_has_the_checks_in_the_same_run() -> None:
    assert complete(["publish"]) == ("build", "check", "publish")
    assert complete(["sync", "ingest"]) == ("ingest", "sync")
