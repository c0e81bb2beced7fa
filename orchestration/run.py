"""`khach run`: the daily job in this process, recorded in the same Dagster instance."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING

from activation.audiences import load_audiences
from khach.cli.output import say
from khach.configuration import check_configuration
from khach.environment import Environment
from khach.errors import ConfigError, KhachError, StoppedError
from khach.progress import Reporter, reporter
from orchestration.manifest import load_manifest
from orchestration.session import STAGES, Days, Session, open_session

if TYPE_CHECKING:
    from dagster import ExecuteInProcessResult


def run_job(
    env: Environment,
    *,
    select: Sequence[str] | None = None,
    as_of: date | datetime | None = None,
    full_refresh: bool = False,
    dry_run: bool = False,
    days: Days | None = None,
    hourly: bool = False,
    progress: Reporter | None = None,
) -> int:
    """Run the stages (all, or `select`) once; the exit code of the command line.

    `hourly`: the light job, of the models and syncs that have an hourly cadence.

    With `days`, sources read those again in place of what is new. `dry_run` leaves out publishing
    and syncing. What went wrong is told on stderr and journaled.
    Raises ConfigError before anything is run, BusyError when another run goes on.
    """
    mistakes = check_configuration(env)
    if mistakes:
        _tell(mistakes[1:])
        raise mistakes[0]
    syncs = [sync for audience in load_audiences(env).values() for sync in audience.syncs]
    if hourly and not any(sync.cadence == "hourly" or sync.is_message for sync in syncs):
        raise ConfigError(
            "no sync has the cadence hourly, and none sends messages",
            fix="cadence: hourly in an audience file",
        )
    stages = [s for s in select or STAGES if not (dry_run and s in ("publish", "sync"))]
    warm = threading.Thread(target=_warm_up, args=(stages,), daemon=True)
    with (
        reporter() as bars,
        open_session(
            env,
            stages=stages,
            day=as_of,
            full_refresh=full_refresh,
            days=days,
            progress=progress or bars,
        ) as session,
    ):
        warm.start()
        _execute(session, hourly=hourly)
    for notice in session.notices:
        say(notice)
    _tell(session.errors)
    return session.exit_code()


def _execute(session: Session, *, hourly: bool) -> None:
    env = session.env
    session.progress.step("getting ready")
    # dbt, if it must parse, works while the libraries are imported.
    manifest = load_manifest(env) if set(session.stages) != {"ingest"} else None
    from dagster import DagsterInstance

    from orchestration.assets import HOURLY_JOB
    from orchestration.graph import JOB, build_definitions
    from orchestration.instance import RUN_TAG, forget_old_runs, prepare_home, settle_dead_runs

    prepare_home(env)
    definitions = build_definitions(env, manifest, session=session, stages=session.stages)
    with DagsterInstance.from_config(str(env.dagster_home)) as instance:
        settle_dead_runs(instance)
        forget_old_runs(instance)
        job = definitions.resolve_job_def(HOURLY_JOB if hourly else JOB)
        result = job.execute_in_process(
            instance=instance, tags={RUN_TAG: session.run_id}, raise_on_error=False
        )
    if not result.success and not session.errors:
        session.note("run", _unexplained(result))


def _unexplained(result: ExecuteInProcessResult) -> KhachError:
    """A failure that no step of ours explained: Dagster's own."""
    steps = {
        event.step_key: error.cls_name
        for event in result.all_events
        if event.is_step_failure and (error := event.step_failure_data.error)
    }
    if "DagsterExecutionInterruptedError" in steps.values():
        return StoppedError()
    told = ", ".join(f"{step} ({name})" for step, name in steps.items())
    return KhachError(
        f"the Dagster run {result.run_id} failed in {told or 'its start'}",
        fix="make dev shows the run",
    )


def _warm_up(stages: Sequence[str]) -> None:
    """Import what is slow to import while dbt, disks and servers are waited for."""
    importlib.import_module("dagster_dbt")
    if {"ingest", "check", "publish", "sync"} & set(stages):
        from expectations.engine import warm_up

        warm_up()


def _tell(problems: Sequence[KhachError]) -> None:
    from khach.redact import redact

    for problem in problems:
        say(redact(f"error: {problem}"))
