"""The code location: everything of one installation, wired from its configuration."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dagster import (
    AssetCheckKey,
    AssetKey,
    AssetSelection,
    Definitions,
    InitLoggerContext,
    ResourceDefinition,
    ScheduleDefinition,
    define_asset_job,
    in_process_executor,
    logger,
    resource,
)

from activation.audiences import load_audiences
from expectations.marts.suites import SUITES
from ingestion.vars import dbt_sources
from khach.environment import Environment
from khach.settings import load_settings
from orchestration.assets import (
    CHANNELS,
    PUBLISHED,
    build_apply,
    build_marts_gate,
    build_plan,
    build_publish,
    build_source,
)
from orchestration.dbt import asset_key, build_dbt_assets
from orchestration.session import STAGES, Session, open_session

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import (
        UnresolvedAssetJobDefinition,
    )

JOB = "daily"
# The sandbox's clock says 02:00 when its day is delivered; a retailer's tills are closed by then.
CRON = "0 3 * * *"


def build_definitions(
    env: Environment,
    manifest: Mapping[str, Any] | None,
    *,
    session: Session | None = None,
    stages: Sequence[str] = STAGES,
) -> Definitions:
    """Assets, checks, job and schedule; `session` is the run that is already open (`khach run`).

    Without a manifest there is only the raw leg: enough, and seconds quicker, to ingest alone.

    Raises ConfigError for a mistake in sources or audiences.
    """
    sources = dbt_sources(env)
    raw = [build_source(source) for source in sources]
    assets, checks = [a for a, _ in raw], [check for _, check in raw]
    judged: list[str] = []
    if manifest is not None:
        marts = _marts(manifest)
        judged = [suite.table for suite in SUITES if AssetKey(["main", suite.table]) in marts]
        syncs = [(s.id, s.channel) for a in load_audiences(env).values() for s in a.syncs]
        plans = [build_plan(sync_id, number) for number, (sync_id, _) in enumerate(syncs)]
        assets += [build_dbt_assets(env, manifest, sources), build_publish(marts)]
        assets += [plan for plan, _ in plans]
        assets += [build_apply(*sync, number) for number, sync in enumerate(syncs)]
        checks += [build_marts_gate(judged), *(check for _, check in plans)]
    return Definitions(
        assets=assets,
        asset_checks=checks,
        resources={"session": _session_resource(env, session)},
        jobs=[_job(select(stages, sources, judged))],
        schedules=[_schedule(load_settings(env).business_time_zone)],
        executor=in_process_executor,
        loggers={"console": _silent},
    )


def select(
    stages: Sequence[str], sources: Sequence[Mapping[str, Any]], judged: Sequence[str]
) -> AssetSelection:
    """The assets and checks of the given stages."""
    raw = AssetSelection.assets(
        *(AssetKey([f"raw_{s['name']}", table]) for s in sources for table in s["tables"])
    )
    channels = AssetSelection.groups(CHANNELS)
    gate = AssetSelection.checks(*_marts_checks(judged))
    published = AssetSelection.assets(PUBLISHED)
    models = AssetSelection.all() - raw - published - channels - gate
    parts = {
        "ingest": raw, "build": models, "check": gate, "publish": published, "sync": channels
    }  # fmt: skip
    chosen = [parts[stage] for stage in stages]
    selection = chosen[0]
    for part in chosen[1:]:
        selection |= part
    return selection


def _job(selection: AssetSelection) -> "UnresolvedAssetJobDefinition":
    # Without a logger in its configuration Dagster adds its own on the console.
    return define_asset_job(JOB, selection=selection, config={"loggers": {"console": {}}})


def _schedule(time_zone: str) -> ScheduleDefinition:
    return ScheduleDefinition(job_name=JOB, cron_schedule=CRON, execution_timezone=time_zone)


def _marts_checks(judged: Sequence[str]) -> Iterator[AssetCheckKey]:
    return (AssetCheckKey(AssetKey(["main", table]), "marts") for table in judged)


def _marts(manifest: Mapping[str, Any]) -> list[AssetKey]:
    keys = (
        asset_key(node)
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["config"]["materialized"] != "ephemeral"
    )
    return sorted((key for key in keys if key.path[0] == "main"), key=str)


def _session_resource(env: Environment, session: Session | None) -> ResourceDefinition:
    if session is not None:
        return ResourceDefinition.hardcoded_resource(session)

    @resource
    def opened() -> Iterator[Session]:
        with open_session(env) as own:
            yield own

    return opened


@logger({})
def _silent(_context: InitLoggerContext) -> logging.Logger:
    """Nothing on the console: the journal and Dagster's event log have it all."""
    quiet = logging.getLogger("khach.dagster")
    quiet.propagate = False
    quiet.setLevel(logging.CRITICAL + 1)
    return quiet
