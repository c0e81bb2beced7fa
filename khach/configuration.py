"""The configuration as a whole: every file checked, dbt's vars written."""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from khach import clock
from khach.config_files import read_yaml
from khach.environment import Environment
from khach.errors import ConfigError, KhachError
from khach.identity_settings import load_identity_settings
from khach.settings import Settings, load_settings


def check_configuration(env: Environment) -> list[KhachError]:
    """Every mistake that can be seen beside the others, file by file; empty when all is well."""
    found = [problem for check in _checks(env) for problem in _mistakes(env, check)]
    # Several checks read settings.yml: its mistake is told once.
    return list({str(problem): problem for problem in found}.values())


def _checks(env: Environment) -> Iterator[Callable[[Environment], Any]]:
    from activation.audiences import check_audiences
    from activation.policy import load_policy
    from activation.segments import check_segments
    from ingestion.config import load_sources
    from khach.identity_settings import load_identity_settings
    from khach.targets import check_targets
    from khach.vocabularies import check_vocabularies

    yield load_settings
    yield _check_as_of
    yield check_targets
    yield check_vocabularies
    yield load_sources
    # The order of trust names sources: while those are wrong, only they are told of.
    if not _mistakes(env, load_sources):
        yield load_identity_settings
    # A retailer who only measures needs no policy; whoever has an audience must have one.
    if (env.config / "policy.yml").exists() or (env.config / "audiences").is_dir():
        yield load_policy
    yield check_segments
    # Audiences ask for segments: while those are wrong, only they are told of.
    if not _mistakes(env, check_segments):
        yield check_audiences


def _check_as_of(env: Environment) -> None:
    settings = load_settings(env)
    if isinstance(settings.as_of, date):
        resolve_as_of(env, settings)


def _mistakes(env: Environment, check: Callable[[Environment], Any]) -> list[KhachError]:
    try:
        check(env)
    except KhachError as problem:
        return problem.each()
    return []


def resolve_as_of(
    env: Environment, settings: Settings, given: date | datetime | None = None
) -> datetime:
    """The end of the observed period, aware UTC: `given`, else what settings.yml says.

    An instant is itself. A date means the end of that business day; `now` is the clock (the
    sandbox's own there); `latest` is the end of the last business day seen in accepted loads.
    ConfigError for a day to come: its segments and syncs would be remembered as having been.
    """
    from ingestion.vars import newest_event

    wanted: date | str = given or settings.as_of
    if isinstance(wanted, datetime):
        return wanted
    now = clock.now(env)
    zone = ZoneInfo(settings.business_time_zone)
    if isinstance(wanted, date):
        if wanted > now.astimezone(zone).date():
            raise ConfigError(
                f"as_of: {wanted} is a day to come; it is {now.astimezone(zone):%Y-%m-%d} now",
                file=None if given else env.config / "settings.yml",
                fix="give today or an earlier day",
            )
        return clock.end_of_day(wanted, settings.business_time_zone)
    newest = newest_event(env) if wanted == "latest" else None
    if newest is None:
        return now
    # A wrong clock of one device must not carry everybody into the future.
    seen = min(newest.replace(tzinfo=UTC), now)
    return clock.end_of_day(seen.astimezone(zone).date(), settings.business_time_zone)


def write_dbt_vars(
    env: Environment, *, as_of: datetime | None = None, run_id: str = "none"
) -> dict[str, Any]:
    """Write `home/dbt_vars.yml` (whole or not at all) and return what is in it.

    With it, `dbt build --vars "$(cat $KHACH_HOME/dbt_vars.yml)"` works by hand, too.
    """
    from ingestion.vars import dbt_sources
    from khach.identity_settings import trusted_sources

    settings = load_settings(env)
    moment = (as_of or resolve_as_of(env, settings)).astimezone(UTC)
    content = {
        "lake": str(env.lake),
        "sources": dbt_sources(env),
        "as_of": f"{moment:%Y-%m-%d %H:%M:%S}",
        "business_time_zone": settings.business_time_zone,
        "reporting_currency": settings.reporting_currency,
        "default_country": settings.default_country,
        "run_id": run_id,
        "identity": load_identity_settings(env).model_dump(mode="json", exclude={"survivorship"}),
        "thresholds": settings.thresholds.model_dump(),
        "trusted_sources": trusted_sources(env),
        "attribution": settings.attribution.model_dump(mode="json"),
        "measurement": settings.measurement.model_dump(mode="json"),
        "holdout_shares": _holdout_shares(env),
        "margin_rate": float(settings.margin_rate),
        "discount_rate": float(settings.discount_rate),
        "unit_costs": {kind: float(cost) for kind, cost in settings.unit_costs.items()},
        "config_dir": str(env.config),
        "is_replay": env.lake_home is not None,
    }
    write_atomically(env.dbt_vars, yaml.safe_dump(content, allow_unicode=True, sort_keys=False))
    return content


def _holdout_shares(env: Environment) -> dict[str, float]:
    """The share each audience file means to hold out: what an observed split is judged by."""
    files = sorted((env.config / "audiences").glob("*.yml"))
    told = [read_yaml(path).data for path in files]
    return {
        str(data["name"]): float(data["holdout"])
        for data in told
        if isinstance(data, dict) and "name" in data
        and isinstance(data.get("holdout"), int | float)
    }  # fmt: skip


def write_atomically(path: Path, content: str | bytes) -> None:
    """Replace a small file so that a reader, or a kill, never meets half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    data = content.encode("utf-8") if isinstance(content, str) else content
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
