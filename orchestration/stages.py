"""What each step of the job does, free of Dagster; assets and checks only call these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from khach import clock
from khach.checks import CheckResult
from khach.errors import ConfigError, GateError, KhachError
from orchestration.session import Session

if TYPE_CHECKING:
    from activation.apply import ApplySummary
    from activation.plan_summary import PlanSummary
    from ingestion.contract import ContractError
    from ingestion.refusals import RefusedError
    from ingestion.run import LandedLoad


@dataclass(frozen=True)
class Verdict:
    """What a gate says: every rule's result, and the error that stops the run, if any."""

    results: list[CheckResult]
    problem: KhachError | None

    def of(self, table: str) -> list[CheckResult]:
        """Results about one table."""
        return [result for result in self.results if result.table_name == table]


def ingest_source(session: Session, source: str) -> LandedLoad | None:
    """Land what is new of a source, or the days of a backfill; None when there is nothing."""
    from ingestion.backfills import backfill
    from ingestion.contract import ContractError
    from ingestion.refusals import RefusedError
    from ingestion.run import ingest

    days = session.days
    if days and source not in days.sources:
        return None
    try:
        if days:
            loads = backfill(session.env, source, days.first, days.last, progress=session.progress)
            if not loads:
                session.notices.append(
                    f"source {source}: no delivery from {days.first} to {days.last} is left to "
                    "be read"
                )
            return loads[-1] if loads else None
        return ingest(session.env, source, progress=session.progress)
    except (ContractError, RefusedError) as stopped:  # its other tables have landed and are judged
        session.stopped[source] = stopped
        return stopped.load


def judge_landing(session: Session, source: str) -> Verdict:
    """Gate 1: every load of the source without a verdict, also one that a killed run left."""
    from expectations import landing
    from ingestion import verdicts
    from ingestion.config import find_source
    from ingestion.run import pending_loads

    session.progress.step(f"check {source}")
    share = find_source(session.env, source).max_quarantine_share
    results: list[CheckResult] = []
    problems: list[KhachError] = []
    for load in pending_loads(session.env, source=source):
        found = landing.check(
            session.env,
            source,
            load.load_id,
            as_of=session.present(),
            max_quarantine_share=share,
        )
        problem = session.record(found)
        results += found
        if problem is None:
            verdicts.accept(session.env, source, load.load_id, by=session.run_id, reason="gate")
            continue
        problems.append(problem)
        reason = ", ".join(result.check_name for result in found if result.is_blocking)
        verdicts.reject(session.env, source, load.load_id, by=session.run_id, reason=reason)
    if source in session.stopped:
        results += _not_read(session, session.stopped[source])
        problems.append(session.stopped[source])
    return Verdict(results, _one(problems))


def _not_read(session: Session, problem: ContractError | RefusedError) -> list[CheckResult]:
    """Recorded results, one for each table that a type or a file stopped."""
    from ingestion.refusals import Refused

    results = [
        CheckResult(
            check_name=f"landing.{problem.source}.{stopped.table}."
            + ("file" if isinstance(stopped, Refused) else "contract"),
            stage="landing",
            rule=stopped.sentence(),
            is_success=False,
            source=problem.source,
            table_name=stopped.table,
        )
        for stopped in problem.stopped
    ]
    session.record(results)
    return results


def judge_marts(session: Session) -> Verdict:
    """Gate 2 on the working file, after dbt's own tests."""
    from expectations import marts

    session.progress.step("check the marts")
    results = marts.check(session.env, as_of=session.present())
    return Verdict(results, session.record(results))


def publish(session: Session) -> str:
    """Copy the marts for readers; the snapshot's id.

    A database of BI tools that cannot be had is an error of the run, yet stops no sync.
    """
    from khach.postgres_target import copy_to_postgres
    from khach.publishing import publish as publish_marts

    session.progress.step("publish")
    snapshot_id = publish_marts(session.env, session.run_id, session.as_of())
    try:
        copy_to_postgres(session.env)
    except KhachError as problem:
        session.note("publish", problem)
    return snapshot_id


def plan_sync(session: Session, sync_id: str, *, is_hourly: bool) -> PlanSummary | None:
    """Store the plan of a sync; what an interrupted apply left open is settled first.

    None when it is not the sync's turn: a weekly one within the week, a daily one in an hourly run.
    """
    from activation.cadence import is_due
    from activation.plan import plan_with_rows
    from activation.recovery import settle

    session.progress.step(f"plan {sync_id}")
    if not session.plans:
        # Another sync's trouble is told, and holds up this one in no way.
        settle(session.env, note=lambda _sync, problem: session.note("sync", problem))
    if not is_due(session.env, sync_id, is_hourly=is_hourly):
        return None
    session.plans[sync_id], session.plan_rows[sync_id] = plan_with_rows(session.env, sync_id)
    return session.plans[sync_id]


def judge_audience(session: Session, sync_id: str) -> Verdict:
    """Gate 3 on the rows of the plan just made."""
    from expectations import audience

    if sync_id not in session.plans:
        return Verdict([], None)
    plan_id = session.plans[sync_id].plan_id
    rows = session.plan_rows.pop(sync_id)
    results = audience.check(session.env, plan_id, rows, on=clock.now(session.env).date())
    return Verdict(results, session.record(results))


def apply_sync(session: Session, sync_id: str) -> ApplySummary | None:
    """Carry out the plan just made; without one, when it is not the sync's turn, withdrawals alone.

    Raises GateError when a guard holds the plan.
    """
    from activation.apply import apply_plan

    if sync_id not in session.plans:
        carry_withdrawals(session, sync_id)
        return None
    session.progress.step(f"apply {sync_id}")
    return apply_plan(session.env, session.plans[sync_id].plan_id)


def carry_withdrawals(session: Session, sync_id: str) -> None:
    """End the contact with who withdrew, in the channel too, also where no plan is applied."""
    from activation.withdrawals import carry_withdrawals as carry

    session.progress.step(f"withdrawals of {sync_id}")
    carry(session.env, sync_id)


def plan_figures(summary: PlanSummary | None) -> dict[str, str | int]:
    """What Dagster shows of a plan: counts."""
    if summary is None:
        return {"status": "not due yet"}
    return {
        "plan_id": summary.plan_id,
        "status": summary.status,
        "add": summary.add_count,
        "update": summary.update_count,
        "remove": summary.remove_count,
        "unchanged": summary.unchanged_count,
        "excluded": summary.excluded_count,
    }


def apply_figures(summary: ApplySummary | None) -> dict[str, str | int]:
    """What Dagster shows of an apply: counts of receipts by status."""
    if summary is None:
        return {"status": "not due yet"}
    return {"plan_id": summary.plan_id, "status": summary.status, **summary.receipts}


def _one(problems: list[KhachError]) -> KhachError | None:
    if len(problems) <= 1:
        return problems[0] if problems else None
    is_mistake = any(problem.exit_code == ConfigError.exit_code for problem in problems)
    kind = ConfigError if is_mistake else GateError
    return kind("\n".join(problem.message for problem in problems))
