"""`khach run --from --to`: days that were read before are read again, a month a load.

A part that is committed is not read again when the same backfill is started once more after a kill
or a failure: the deliveries of its load carry the backfill's mark. The backfill is over when a run
of it has ended well; started after that, it is another one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from ingestion import lake, verdicts
from ingestion.config import find_source, load_sources
from ingestion.registry import source_spec
from ingestion.run import LandedLoad, ingest
from ingestion.spec import Backfill
from khach.errors import ConfigError
from khach.progress import Reporter
from khach.runs import utc_now
from khach.state import open_state

if TYPE_CHECKING:
    from khach.environment import Environment


def require_sources(env: Environment, wanted: Sequence[str] | None) -> list[str]:
    """The sources to read again: the wanted ones, or all.

    ConfigError when there is no such source, or one of them cannot be read by date.
    """
    chosen = [find_source(env, name) for name in wanted] if wanted else load_sources(env)
    able = [one.name for one in chosen if source_spec(one.kind).can_backfill]
    for source in chosen:
        if source.name not in able:
            others = " ".join(f"--source {name}" for name in able)
            raise source.problem(
                f"source {source.name}: kind {source.kind} cannot be read again by date; nothing "
                "was run",
                "kind",
                fix=f"khach run --from DATE --to DATE {others}" if able else None,
            )
    return able


def backfill(
    env: Environment,
    source: str,
    first: date,
    last: date,
    *,
    progress: Reporter | None = None,
) -> list[LandedLoad]:
    """Read the days from `first` to `last` again; the loads that landed now, oldest days first."""
    require_sources(env, [source])
    started = _begin(env, source, first, last)
    done = _marks(env, source)
    loads = []
    for part in parts(first, last):
        mark = f"{started.isoformat()} {part.first}..{part.last}"
        if mark not in done:
            load = ingest(env, source, part=part, mark=mark, progress=progress)
            loads += [load] if load else []
    return loads


def finish(env: Environment, sources: Sequence[str], first: date, last: date) -> None:
    """Record that a run of the backfill has ended well."""
    with open_state(env) as state:
        for source in sources:
            state.execute(
                "update backfills set finished_at = ? where finished_at is null and source = ? "
                "and first_day = ? and last_day = ?",
                [utc_now(), source, first, last],
            )


def parts(first: date, last: date) -> list[Backfill]:
    """The range, cut at the ends of months; ConfigError when it is the wrong way round."""
    if last < first:
        raise ConfigError(f"--to {last} is before --from {first}", fix="give the earlier day first")
    found, start = [], first
    while start <= last:
        next_month = (start.replace(day=1) + timedelta(days=32)).replace(day=1)
        end = min(last, next_month - timedelta(days=1))
        found.append(Backfill(start, end, first))
        start = next_month
    return found


def _begin(env: Environment, source: str, first: date, last: date) -> datetime:
    """When the backfill was started that is still open; a new one when none is."""
    with open_state(env) as state:
        row = state.execute(
            "select max(started_at) from backfills where finished_at is null and source = ? "
            "and first_day = ? and last_day = ?",
            [source, first, last],
        ).fetchone()
        if row and row[0]:
            found: datetime = row[0]
            return found
        started = utc_now()
        state.execute(
            "insert into backfills values (?, ?, ?, ?, null)", [source, first, last, started]
        )
    return started


def _marks(env: Environment, source: str) -> set[str]:
    """The parts of backfills that are in the lake; those of rejected loads are read again."""
    rejected = verdicts.rejected(env, source)
    loads = [load.load_id for load in lake.committed_loads(env, source)]
    found = lake.deliveries(env, source, [load for load in loads if load not in rejected])
    return {delivery.backfill for _, delivery in found if delivery.backfill}
