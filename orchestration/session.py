"""One run: what it was asked to do, how far it is, what went wrong, and the journal of it.

A session knows nothing of Dagster. `khach run` opens one and hands it to the job; a run that
Dagster itself launches (schedule, UI) opens its own. Either way the run lock is held throughout.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, TypeVar

from khach import runs
from khach.checks import CheckResult, gate_error, record_checks
from khach.cli.problems import as_khach_error
from khach.configuration import resolve_as_of, write_dbt_vars
from khach.configuration_versions import record_versions
from khach.environment import Environment
from khach.errors import ConfigError, GateError, KhachError, StoppedError, gravest
from khach.lock import run_lock
from khach.progress import Reporter, Silent
from khach.settings import load_settings
from khach.state import open_state

if TYPE_CHECKING:
    import pyarrow as pa

    from activation.plan_summary import PlanSummary
    from ingestion.contract import ContractError
    from ingestion.refusals import RefusedError

STAGES = ("ingest", "build", "check", "publish", "sync")
T = TypeVar("T")


@dataclass(frozen=True)
class Days:
    """`--from --to`: days (inclusive) that `sources` read again, in place of what is new."""

    first: date
    last: date
    sources: Sequence[str]


class StepFailed(Exception):  # noqa: N818 (the error itself is a KhachError in the session)
    """Ends a step; its message is safe to store, and nothing is chained to it."""


@dataclass
class Session:
    """The state of one run in one process."""

    env: Environment
    run_id: str
    stages: Sequence[str] = STAGES
    day: date | datetime | None = None
    full_refresh: bool = False
    days: Days | None = None
    progress: Reporter = field(default_factory=Silent)
    errors: list[KhachError] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    plans: dict[str, PlanSummary] = field(default_factory=dict)
    # Personal data: in memory from a plan to its gate, nowhere else.
    plan_rows: dict[str, pa.Table] = field(default_factory=dict, repr=False)
    stopped: dict[str, ContractError | RefusedError] = field(default_factory=dict)
    _current: str | None = None
    _problems: dict[str, KhachError] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)

    def as_of(self) -> datetime:
        """The end of the observed period, aware; with `latest` it moves when data is ingested."""
        return resolve_as_of(self.env, load_settings(self.env), self.day)

    def present(self) -> datetime | None:
        """What freshness is measured against; None when an old data set sets its own time."""
        is_old = load_settings(self.env).as_of == "latest" and self.day is None
        return None if is_old else self.as_of()

    def write_vars(self) -> None:
        """Write dbt's vars for this run; what was ingested may have moved its `latest`."""
        as_of = self.as_of()
        write_dbt_vars(self.env, as_of=as_of, run_id=self.run_id)
        runs.set_as_of(self.env, self.run_id, as_of)

    def attempt(self, stage: str, work: Callable[[], T]) -> T:
        """Do one step of a stage; StepFailed when it fails, with the reason kept in `errors`."""
        self.enter(stage)
        try:
            return work()
        except Exception as problem:  # noqa: BLE001 (every error becomes a message for people)
            known = self.note(stage, problem)
        # Raised outside the handler: a chained original could carry values into Dagster's storage.
        raise StepFailed(known.message)

    def note(self, stage: str, problem: Exception) -> KhachError:
        """Keep an error of a stage, in the form that is safe to write down."""
        known = as_khach_error(problem)
        self.errors.append(known)
        self._problems.setdefault(stage, known)
        return known

    def enter(self, stage: str) -> None:
        """Journal that a stage began; the one before it has ended."""
        if self._current == stage:
            return
        self._leave()
        self._current = stage
        if stage not in self._seen:
            self._seen.add(stage)
            runs.start_stage(self.env, self.run_id, stage, self.as_of())

    def record(self, results: Sequence[CheckResult]) -> GateError | None:
        """Store check results; the error that they amount to, if any."""
        with open_state(self.env) as state:
            record_checks(state, self.run_id, results)
        return gate_error(self.run_id, results)

    def exit_code(self) -> int:
        """0, or the code of the gravest error."""
        return gravest(error.exit_code for error in self.errors)

    def close(self) -> None:
        """End the journal and bring everything that readers see of this run up to date."""
        from ingestion.backfills import finish
        from khach.operations import publish_operations
        from khach.quality import record_quality
        from khach.report import write_report

        self._leave()
        self._at_the_end(lambda: record_quality(self.env, self.run_id))
        if self.days and not self.errors:
            days = self.days
            self._at_the_end(lambda: finish(self.env, days.sources, days.first, days.last))
        self._end("run", next(iter(self.errors), None))
        publish_operations(self.env)
        if not self._at_the_end(lambda: write_report(self.env)):
            self._end("run", self.errors[-1])
            publish_operations(self.env)

    def _at_the_end(self, work: Callable[[], object]) -> bool:
        """Try one of the last things; the others must be done even when it fails."""
        try:
            work()
        except Exception as problem:  # noqa: BLE001
            self.note("run", problem)
            return False
        return True

    def _leave(self) -> None:
        if self._current is not None:
            self._end(self._current, self._problems.get(self._current))
            self._current = None

    def _end(self, stage: str, problem: KhachError | None) -> None:
        status = "ok"
        if problem is not None:
            status = "stopped" if isinstance(problem, GateError) else "failed"
        runs.end_stage(self.env, self.run_id, stage, status, problem.message if problem else None)


@contextmanager
def open_session(
    env: Environment,
    *,
    stages: Sequence[str] = STAGES,
    day: date | datetime | None = None,
    full_refresh: bool = False,
    days: Days | None = None,
    progress: Reporter | None = None,
) -> Iterator[Session]:
    """Hold the run lock, settle what a killed run left, journal the run.

    Raises BusyError when another run goes on, ConfigError before anything is written when the
    configuration has a mistake or an earlier day is asked for outside a replay.
    """
    with run_lock(env, "khach run"):
        session = Session(
            env=env,
            run_id=runs.new_run_id(),
            stages=complete(stages),
            day=day,
            full_refresh=full_refresh,
            days=days,
            progress=progress or Silent(),
        )
        _require_present(session)
        runs.mark_dead_runs(env)
        record_versions(env, session.as_of())
        session.write_vars()
        runs.start_stage(env, session.run_id, "run", session.as_of())
        try:
            yield session
        except KeyboardInterrupt:
            session.note("run", StoppedError())
            raise
        except Exception as problem:
            session.note("run", problem)
            raise
        finally:
            session.close()


def complete(stages: Sequence[str]) -> tuple[str, ...]:
    """The stages in order; whoever publishes has both kinds of checks in the same run.

    Gates cannot be skipped: dbt's tests are in the build, the suites in the check.
    """
    wanted = {*stages, "build", "check"} if "publish" in stages else set(stages)
    return tuple(stage for stage in STAGES if stage in wanted)


def _require_present(session: Session) -> None:
    """An earlier day needs a home of its own, or today's state would be overwritten with it."""
    is_earlier = session.day is not None and lies_back(session.env, session.as_of())
    if is_earlier and session.env.lake_home is None:
        raise ConfigError(
            f"{session.day} is earlier than the configuration's own present",
            fix="khach run --as-of builds an earlier day in a folder of its own",
        )


def lies_back(env: Environment, as_of: datetime) -> bool:
    """Whether the end of a period is a day or more before the configuration's own present."""
    configured = resolve_as_of(env, load_settings(env))
    return (configured - as_of).total_seconds() >= 24 * 3600
