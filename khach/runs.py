"""The journal of runs: one row per stage, written before and after it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from khach.environment import Environment
from khach.errors import GateError, KhachError
from khach.redact import redact
from khach.state import open_state


def utc_now() -> datetime:
    """The wall clock, naive UTC, as state stores it."""
    return datetime.now(UTC).replace(tzinfo=None)


def new_run_id(prefix: str = "r") -> str:
    """A sortable id of a run, e.g. `r20260629T020000123`; `h` is a decision made by hand."""
    return prefix + sortable(utc_now())


def sortable(moment: datetime) -> str:
    """The part of an id that says when (naive UTC), to the millisecond."""
    return moment.strftime("%Y%m%dT%H%M%S%f")[:-3]


def start_stage(env: Environment, run_id: str, stage: str, as_of: datetime | None = None) -> None:
    """Record that a stage began (again: a resumed stage keeps one row)."""
    naive = as_of.astimezone(UTC).replace(tzinfo=None) if as_of and as_of.tzinfo else as_of
    with open_state(env) as state:
        state.execute(
            "insert or replace into runs values (?, ?, ?, null, 'running', null, ?)",
            [run_id, stage, utc_now(), naive],
        )


def set_as_of(env: Environment, run_id: str, as_of: datetime) -> None:
    """Record the end of the observed period of a whole run (aware); ingestion may move it."""
    with open_state(env) as state:
        state.execute(
            "update runs set as_of = ? where run_id = ? and stage in ('run', 'ingest')",
            [as_of.astimezone(UTC).replace(tzinfo=None), run_id],
        )


def end_stage(
    env: Environment, run_id: str, stage: str, status: str, message: str | None = None
) -> None:
    """Record how a stage ended: ok, failed or stopped (by a gate or a guard)."""
    with open_state(env) as state:
        state.execute(
            "update runs set ended_at = ?, status = ?, message = ? where run_id = ? and stage = ?",
            [utc_now(), status, redact(message) if message else None, run_id, stage],
        )


@contextmanager
def stage(
    env: Environment, run_id: str, name: str, as_of: datetime | None = None
) -> Iterator[None]:
    """Record a stage around a block; errors are recorded and raised on."""
    start_stage(env, run_id, name, as_of)
    try:
        yield
    except GateError as problem:
        end_stage(env, run_id, name, "stopped", problem.message)
        raise
    except BaseException as problem:
        text = problem.message if isinstance(problem, KhachError) else type(problem).__name__
        end_stage(env, run_id, name, "failed", text)
        raise
    end_stage(env, run_id, name, "ok")


def mark_dead_runs(env: Environment) -> list[str]:
    """Runs that a killed process left as running become failed; call it holding the run lock."""
    with open_state(env) as state:
        rows = state.execute(
            "update runs set status = 'failed', ended_at = ?, "
            "message = 'the process ended without a word (killed?)' "
            "where status = 'running' returning run_id",
            [utc_now()],
        ).fetchall()
    return sorted({str(row[0]) for row in rows})
