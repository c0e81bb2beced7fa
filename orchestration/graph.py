"""The code location: everything of one installation, wired from its configuration."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dagster import (
    AssetCheckKey,
    AssetKey,
    AssetsDefinition,
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
    HOURLY_JOB,
    PUBLISHED,
    build_marts_gate,
    build_publish,
    build_source,
    build_sync,
)
from orchestration.dbt import asset_key, build_dbt_assets
from orchestration.session import STAGES, Session, open_session

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import (
        UnresolvedAssetJobDefinition,
    )

JOB = "daily"
# The sandbox's clock says 02:00 when its day is delivered; a retailer's tills are closed by then.
CRON, HOURLY_CRON = "0 3 * * *", "0 0-2,4-23 * * *"
# What audiences, permissions, plans and the count of rows read; the hourly job builds these and
# what they stand on.
ACTIVATED = (
    "customers", "consents", "customer_identifiers", "customer_attributes", "customer_survivors",
    "segments", "segment_membership", "interactions", "row_accounting",
)  # fmt: skip


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
    hourly: AssetSelection | None = None
    if manifest is not None:
        marts = _marts(manifest)
        judged = [suite.table for suite in SUITES if AssetKey(["main", suite.table]) in marts]
        models = build_dbt_assets(env, manifest, sources)
        configured = [s for audience in load_audiences(env).values() for s in audience.syncs]
        syncs = [(s.id, s.channel) for s in configured]
        often = [(s.id, s.channel) for s in configured if s.cadence == "hourly" or s.is_message]
        if often:
            hourly = _hourly(manifest, models, often)
        assets += [models, build_publish(marts)]
        assets += [build_sync(*sync, number) for number, sync in enumerate(syncs)]
        checks.append(build_marts_gate(judged))
    return Definitions(
        assets=assets,
        asset_checks=checks,
        resources={"session": _session_resource(env, session)},
        jobs=[_job(JOB, select(stages, sources, judged))]
        + ([_job(HOURLY_JOB, select(STAGES, sources, judged, light=hourly))] if hourly else []),
        schedules=_schedules(load_settings(env).business_time_zone, is_hourly=hourly is not None),
        executor=in_process_executor,
        loggers={"console": _silent},
    )


def select(
    stages: Sequence[str],
    sources: Sequence[Mapping[str, Any]],
    judged: Sequence[str],
    *,
    light: AssetSelection | None = None,
) -> AssetSelection:
    """The assets and checks of the given stages; `light`: of the models and syncs, only these."""
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
    if light is not None:
        parts |= {"build": models & light, "sync": channels & light}
    chosen = [parts[stage] for stage in stages]
    selection = chosen[0]
    for part in chosen[1:]:
        selection |= part
    return selection


def _hourly(
    manifest: Mapping[str, Any], models: AssetsDefinition, syncs: Sequence[tuple[str, str]]
) -> AssetSelection:
    """These syncs, and every model that an audience or its consents stand on, with the tests that
    look at no other model.
    """
    nodes = manifest["nodes"]
    waiting = [
        key
        for key, node in nodes.items()
        if node["resource_type"] == "model"
        and (node["name"] in ACTIVATED or node["name"].startswith("aud_"))
    ]
    found: set[str] = set()
    while waiting:
        key = waiting.pop()
        if key in nodes and key not in found:
            found.add(key)
            waiting += manifest["parent_map"].get(key, [])
    built = [
        asset_key(nodes[key])
        for key in found
        if nodes[key]["resource_type"] == "seed"
        or nodes[key]["config"]["materialized"] != "ephemeral"
    ]
    going = [
        key for name, channel in syncs
        for key in (AssetKey(["plan", name]), AssetKey(["activation", channel, name]))
    ]  # fmt: skip
    whole = {
        node["name"]
        for node in nodes.values()
        if node["resource_type"] == "test" and found >= {*_models_of(node)}
    }
    partial = [key for key in models.check_keys if key.name not in whole]
    return AssetSelection.assets(*built, *going) - AssetSelection.checks(*partial)


def _models_of(test: Mapping[str, Any]) -> Iterator[str]:
    return (key for key in test["depends_on"]["nodes"] if not key.startswith("source."))


def _job(name: str, selection: AssetSelection) -> "UnresolvedAssetJobDefinition":
    # Without a logger in its configuration Dagster adds its own on the console.
    return define_asset_job(name, selection=selection, config={"loggers": {"console": {}}})


def _schedules(time_zone: str, *, is_hourly: bool) -> list[ScheduleDefinition]:
    crons = {JOB: CRON} | ({HOURLY_JOB: HOURLY_CRON} if is_hourly else {})
    return [
        ScheduleDefinition(job_name=job, cron_schedule=cron, execution_timezone=time_zone)
        for job, cron in crons.items()
    ]


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
