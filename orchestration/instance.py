"""Dagster's instance under $KHACH_HOME, and what killed runs left in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from khach.configuration import write_atomically
from khach.environment import Environment

if TYPE_CHECKING:
    from dagster import DagsterInstance

# Compute logs would be copies of everything printed, values of rows in database errors included:
# the redacted logs are ours, in $KHACH_HOME/logs.
DAGSTER_YAML = """\
# Written by khach; changes are overwritten.
telemetry:
  enabled: false
storage:
  custom:
    module: orchestration.event_log
    class: OpenStorage
    config:
      base_dir: {home}/storage
compute_logs:
  module: dagster._core.storage.noop_compute_log_manager
  class: NoOpComputeLogManager
local_artifact_storage:
  module: dagster._core.storage.root
  class: LocalArtifactStorage
  config:
    base_dir: {home}
concurrency:
  runs:
    max_concurrent_runs: 1
  pools:
    default_limit: 1
"""
RUN_TAG = "khach/run_id"
# A run's events take some megabytes; our own journal in state is kept for good.
KEPT_RUNS = 60


def prepare_home(env: Environment) -> None:
    """Write dagster.yaml: one run at a time, one holder of a pool, no telemetry."""
    env.dagster_home.mkdir(parents=True, exist_ok=True)
    path = env.dagster_home / "dagster.yaml"
    content = DAGSTER_YAML.format(home=env.dagster_home)
    if not path.exists() or path.read_text(encoding="utf-8") != content:
        write_atomically(path, content)


def settle_dead_runs(instance: DagsterInstance, own_run_id: str | None = None) -> list[str]:
    """Runs of `khach run` that a kill left as started become failed, their pool slots free.

    Call it holding the run lock: then every tagged run but one's own is dead.
    """
    from dagster import DagsterRunStatus, RunsFilter

    unfinished = RunsFilter(
        statuses=[
            DagsterRunStatus.STARTED, DagsterRunStatus.STARTING, DagsterRunStatus.NOT_STARTED,
            DagsterRunStatus.CANCELING,
        ]
    )  # fmt: skip
    settled = []
    for run in instance.get_runs(unfinished):
        if RUN_TAG not in run.tags or run.tags[RUN_TAG] == own_run_id:
            continue
        instance.report_run_failed(run, "the process ended without a word (killed?)")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        settled.append(run.run_id)
    return settled


def forget_old_runs(instance: DagsterInstance) -> int:
    """Delete the events of all but the newest runs; how many were deleted."""
    old = instance.get_runs(limit=1000)[KEPT_RUNS:]
    for run in old:
        instance.delete_run(run.run_id)
    return len(old)
