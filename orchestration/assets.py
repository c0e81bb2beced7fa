"""Assets and checks, made by plain factories from the configured sources and audiences.

They stay thin: each calls one function of `orchestration.stages` with the run's session.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dagster import (
    AssetCheckExecutionContext,
    AssetCheckResult,
    AssetChecksDefinition,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    AssetSpec,
    MaterializeResult,
    asset,
    multi_asset,
    multi_asset_check,
)

from khach.checks import CheckResult
from orchestration import stages
from orchestration.session import Session, StepFailed

PUBLISHED = AssetKey(["published", "snapshot"])
CHANNELS = "channels"
HOURLY_JOB = "hourly"


def build_source(source: Mapping[str, Any]) -> tuple[AssetsDefinition, AssetChecksDefinition]:
    """The raw tables of one source, landed together, and gate 1 on them."""
    name = str(source["name"])
    keys = {table: AssetKey([f"raw_{name}", table]) for table in source["tables"]}
    specs = [
        AssetSpec(key, group_name=name, kinds={"dlt", str(source["kind"])}) for key in keys.values()
    ]

    @multi_asset(name=f"ingest_{name}", specs=specs, required_resource_keys={"session"})
    def ingest_source(context: AssetExecutionContext) -> Iterator[MaterializeResult]:
        session: Session = context.resources.session
        load = session.attempt("ingest", lambda: stages.ingest_source(session, name))
        for key in keys.values():
            found: dict[str, Any] = {"load_id": load.load_id} if load else {"nothing_new": True}
            yield MaterializeResult(asset_key=key, metadata=found)

    @multi_asset_check(
        name=f"landing_{name}",
        specs=[AssetCheckSpec("landing", asset=key, blocking=True) for key in keys.values()],
        required_resource_keys={"session"},
    )
    def landing(context: AssetCheckExecutionContext) -> Iterator[AssetCheckResult]:
        session: Session = context.resources.session
        verdict = session.attempt("ingest", lambda: stages.judge_landing(session, name))
        if verdict.problem is not None:
            session.note("ingest", verdict.problem)
        whole = [r for r in verdict.results if r.table_name not in keys]
        for table, key in keys.items():
            yield _outcome([*whole, *verdict.of(table)], asset_key=key, check_name="landing")

    return ingest_source, landing


def build_marts_gate(tables: Sequence[str]) -> AssetChecksDefinition:
    """Gate 2 on the marts that have a suite."""
    keys = {table: AssetKey(["main", table]) for table in tables}

    @multi_asset_check(
        name="marts_gate",
        specs=[AssetCheckSpec("marts", asset=key, blocking=True) for key in keys.values()],
        required_resource_keys={"session"},
        pool="warehouse",
    )
    def marts_gate(context: AssetCheckExecutionContext) -> Iterator[AssetCheckResult]:
        session: Session = context.resources.session
        verdict = session.attempt("check", lambda: stages.judge_marts(session))
        if verdict.problem is not None:
            session.note("check", verdict.problem)
        for table, key in keys.items():
            yield _outcome(verdict.of(table), asset_key=key, check_name="marts")

    return marts_gate


def build_publish(marts: Sequence[AssetKey]) -> AssetsDefinition:
    """The readers' copy; it waits for every mart and for the checks on them."""

    @asset(
        key=PUBLISHED,
        deps=list(marts),
        group_name="published",
        required_resource_keys={"session"},
        pool="warehouse",
    )
    def snapshot(context: AssetExecutionContext) -> MaterializeResult:
        session: Session = context.resources.session
        snapshot_id = session.attempt("publish", lambda: stages.publish(session))
        return MaterializeResult(metadata={"snapshot_id": snapshot_id})

    return snapshot


def build_sync(sync_id: str, channel: str, number: int) -> AssetsDefinition:
    """The plan of one sync, gate 3 on its rows, and what arrived in the channel: one step, since
    each step costs a third of a second, and no part of it is of use without the others.
    """
    plan, arrived = AssetKey(["plan", sync_id]), AssetKey(["activation", channel, sync_id])

    @multi_asset(
        name=f"sync_{sync_id}",
        specs=[
            AssetSpec(plan, deps=[PUBLISHED], group_name=CHANNELS),
            AssetSpec(arrived, deps=[plan], group_name=CHANNELS, kinds={channel}),
        ],
        check_specs=[AssetCheckSpec("audience_exit", asset=plan, blocking=True)],
        op_tags=_order(number),
        required_resource_keys={"session"},
    )
    def sync(context: AssetExecutionContext) -> Iterator[MaterializeResult | AssetCheckResult]:
        session: Session = context.resources.session
        is_hourly = context.run.job_name == HOURLY_JOB
        summary = session.attempt(
            "sync", lambda: stages.plan_sync(session, sync_id, is_hourly=is_hourly)
        )
        yield MaterializeResult(asset_key=plan, metadata=stages.plan_figures(summary))
        verdict = session.attempt("sync", lambda: stages.judge_audience(session, sync_id))
        yield _outcome(verdict.results, asset_key=plan, check_name="audience_exit")
        if verdict.problem is not None:
            told = session.note("sync", verdict.problem).message
            session.attempt("sync", lambda: stages.carry_withdrawals(session, sync_id))
            raise StepFailed(told)
        done = session.attempt("sync", lambda: stages.apply_sync(session, sync_id))
        yield MaterializeResult(asset_key=arrived, metadata=stages.apply_figures(done))

    return sync


def _order(number: int) -> dict[str, str]:
    """One sync is done before the next is planned.

    Its apply records holdouts, which are inputs of other plans of the same audience. An order by
    dependency would also stop the next sync when this one fails, hence by priority.
    """
    return {"dagster/priority": str(-number)}


def _outcome(results: Sequence[CheckResult], **place: Any) -> AssetCheckResult:
    """Counts and names of rules only: never a value of a row."""
    failed = [result for result in results if not result.is_success]
    errors = [result for result in failed if result.severity == "error"]
    return AssetCheckResult(
        passed=not failed,
        severity=AssetCheckSeverity.ERROR if errors else AssetCheckSeverity.WARN,
        metadata={
            "rules": len(results),
            **{result.check_name: result.failed_count or 0 for result in failed},
        },
        **place,
    )
