"""One source into the lake: finish what was interrupted, read what is new, land it, count it."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ingestion import compaction, dlt_pipeline, lake, verdicts
from ingestion.checked import CheckedItem
from ingestion.config import find_source
from ingestion.contract import read_contract
from ingestion.refusals import NotRead, not_read
from ingestion.registry import source_spec
from ingestion.spec import Backfill, Extract, FetchContext, Seen, SourceConfig
from khach.errors import BusyError, KhachError, StoppedError
from khach.progress import Reporter, Silent

if TYPE_CHECKING:
    from khach.environment import Environment


@dataclass(frozen=True)
class TableCounts:
    """Rows of one table of a load."""

    rows_offered: int
    rows_landed: int
    rows_quarantined: int


@dataclass(frozen=True)
class LandedLoad:
    """A committed load that has no verdict yet, with the counts of each table."""

    source: str
    load_id: str
    tables: Mapping[str, TableCounts]


def ingest(
    env: Environment,
    source: str,
    *,
    again: str | None = None,
    part: Backfill | None = None,
    mark: str | None = None,
    progress: Reporter | None = None,
) -> LandedLoad | None:
    """Land what is new of one source; None when nothing is (then dlt is not started).

    `again` is a rejected load whose deliveries count as new once more. With `part`, its days are
    read again instead, and `mark` is left in what lands (`ingestion.backfills`).

    A table whose contract is broken, or of which a file cannot be read, is left out: ContractError
    or RefusedError, with the load of the others, which has landed all the same. A load that an
    earlier, killed run left behind is finished first and stays listed by `pending_loads`. Raises
    ConfigError (absent file, wrong password), BusyError (unreachable, or another run of this
    source), KhachError (a full disk).
    """
    config = find_source(env, source)
    with opened(env, source) as staging:
        seen = read_seen(env, source, forget=again)
        context = FetchContext(env, config, seen, staging, progress or Silent(), part)
        stopped: list[NotRead] = []
        load_id = _land_new(context, stopped, mark)
        load = landed(env, source, load_id) if load_id else None
        if stopped:
            raise not_read(config, stopped, load)
        return load


def ingest_again(
    env: Environment, source: str, load_id: str, *, progress: Reporter | None = None
) -> LandedLoad:
    """Read the deliveries of a rejected load again, with what else is new, as a load of its own.

    KhachError when there is no such load, it is not rejected, or its files are gone.
    """
    config = find_source(env, source)
    verdict = verdicts.verdict(env, source, load_id)
    if verdict != "rejected":
        state = f"is {verdict}, not rejected" if verdict else "does not exist"
        raise KhachError(
            f"source {config.name}: load {load_id} {state}", fix="`khach loads` lists the loads"
        )
    load = ingest(env, source, again=load_id, progress=progress)
    if load is None:
        raise KhachError(
            f"source {source}: nothing of load {load_id} can be read again: another load has it "
            "by now, or it is not there any more",
            fix="`khach loads` lists the loads; what is delivered again is read by khach run",
        )
    return load


@contextmanager
def opened(env: Environment, source: str) -> Iterator[Path]:
    """Have a source and its lake for oneself; an empty folder for what is to be landed.

    What an interrupted run left is finished first.
    """
    with _only_one(env, source), _clear_disk_errors(env, source):
        staging = env.scratch / f"ingest-{source}"
        shutil.rmtree(staging, ignore_errors=True)
        if dlt_pipeline.has_pending(env, source):
            dlt_pipeline.finish_pending(env, source)
            dlt_pipeline.remove_leftovers(env, source)
        verdicts.record_landed(env, source)
        compaction.remove_replaced(env, source)
        compaction.compact(env, source)
        staging.mkdir(parents=True)
        try:
            yield staging
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def landed(env: Environment, source: str, load_id: str) -> LandedLoad:
    """Take a load that has just been committed into the state; its counts."""
    recorded = verdicts.record_landed(env, source)
    return _landed(env, source, load_id, recorded.get(load_id))


def pending_loads(env: Environment, *, source: str | None = None) -> list[LandedLoad]:
    """Landed loads without a verdict, oldest first; of one source or of all in the lake."""
    for folder in sorted(env.lake.glob(f"raw_{source or '*'}")):
        verdicts.record_landed(env, folder.name.removeprefix("raw_"))
    return [_landed(env, name, load_id) for name, load_id in verdicts.without_verdict(env, source)]


def compact_all(env: Environment) -> list[compaction.Compacted]:
    """Put the small files of every source together, however few they are."""
    done: list[compaction.Compacted] = []
    for folder in sorted(env.lake.glob("raw_*")):
        source = folder.name.removeprefix("raw_")
        with _only_one(env, source), _clear_disk_errors(env, source):
            verdicts.record_landed(env, source)
            compaction.remove_replaced(env, source)
            done += compaction.compact(env, source, at_least=2)
    return done


def check_source(env: Environment, config: SourceConfig) -> list[CheckedItem]:
    """Reach a source without loading: what is there, and whether the mapping fits it.

    A source that cannot be reached is one item with that problem; only a stop by hand is raised.
    """
    try:
        return source_spec(config.kind).check(env, config)
    except StoppedError:
        raise
    except KhachError as mistake:
        return [CheckedItem(config.name, config.kind, "", mistake.message, mistake)]


def read_seen(env: Environment, source: str, *, forget: str | None = None) -> Seen:
    """What committed loads have taken in; cursors of rejected loads do not count.

    Their files do, or every run would offer them again and be stopped by them: they come again
    with new content, or when a person says so (`forget` is such a load).
    """
    told, rejected = verdicts.told(env, source)
    fingerprints: dict[tuple[str, str], tuple[float, str]] = {}
    cursors: dict[str, tuple[float, str]] = {}
    contracts: dict[str, tuple[float, str]] = {}
    for load_id, delivery in told:
        if delivery.fingerprint and load_id != forget:
            place = (delivery.table_name, delivery.file)
            last = fingerprints.get(place, (0.0, ""))
            fingerprints[place] = max(last, (float(load_id), delivery.fingerprint))
        if load_id in rejected:
            continue
        for text, newest in ((delivery.cursor, cursors), (delivery.columns, contracts)):
            if text:
                known = newest.get(delivery.table_name, (0.0, ""))
                newest[delivery.table_name] = max(known, (float(load_id), text))
    return Seen(
        {place: mark for place, (_, mark) in fingerprints.items()},
        {table: cursor for table, (_, cursor) in cursors.items()},
        {table: read_contract(columns) for table, (_, columns) in contracts.items()},
    )


def _land_new(context: FetchContext, stopped: list[NotRead], mark: str | None) -> str | None:
    """Fetch and commit; None when nothing is to be committed. Adds the tables that are not read."""
    env, config = context.env, context.config
    spec = source_spec(config.kind)
    extract = spec.fetch(context)
    stopped += extract.stopped if extract else ()
    tables = spec.tables(config)
    if extract is None or not extract.deliveries:
        # Every declared table exists after the first load, also one that was declared later.
        if {table.name for table in tables} <= lake.tables_present(env, config.name):
            return None
        extract = Extract({}, [])
    if mark and not stopped:  # a part of which a table was stopped is not done
        marked = [replace(one, backfill=mark) for one in extract.deliveries]
        extract = replace(extract, deliveries=marked)
    context.progress.step(f"{config.name}: into the lake")
    return dlt_pipeline.land(env, config.name, tables, extract, context.staging, stopped=stopped)


def _landed(
    env: Environment,
    source: str,
    load_id: str,
    counts: Mapping[str, verdicts.Counts] | None = None,
) -> LandedLoad:
    if counts is None:
        counts = verdicts.table_counts(lake.deliveries(env, source, [load_id]))
    return LandedLoad(
        source, load_id, {table: TableCounts(*numbers) for table, numbers in counts.items()}
    )


@contextmanager
def _only_one(env: Environment, source: str) -> Iterator[None]:
    """Two dlt runs of one pipeline corrupt its working folder; the lock dies with its process."""
    env.dlt_dir.mkdir(parents=True, exist_ok=True)
    with (env.dlt_dir / f"khach_{source}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyError(
                f"source {source} is being ingested by another process", fix="wait for it to end"
            ) from None
        yield


@contextmanager
def _clear_disk_errors(env: Environment, source: str) -> Iterator[None]:
    try:
        yield
    except KhachError:
        raise
    except Exception as problem:
        if not dlt_pipeline.disk_error(problem):
            raise
        raise KhachError(
            f"source {source}: the disk (or a file-size limit) is full; nothing is lost",
            fix=f"free space in {env.home}, then run again",
        ) from None
