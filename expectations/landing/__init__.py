"""Gate 1: the Parquet files of one load, before any model may read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from expectations.engine import Gate, open_gate
from expectations.history import History, drift_rules, parquet, read_history, volume_rules
from expectations.landing import (
    deliveries,
    entities,
    mailchimp,
    segment,
    shopify,
    square,
    web_events,
    woocommerce,
)
from expectations.rules import fresh
from expectations.suite import Subject, Suite, at_horizon, judge, wall_clock
from khach.checks import CheckResult
from khach.environment import Environment

STAGE = "landing"
# The first that fits: vendors' tables may have the name of an entity, and a marker of their own.
SUITES: tuple[Suite, ...] = (
    *woocommerce.SUITES,
    *square.SUITES,
    *shopify.SUITES,
    *entities.SUITES,
    *segment.SUITES,
    *web_events.SUITES,
    *mailchimp.SUITES,
)
# Clocks and time zones may be off by a day, not by more.
FUTURE = timedelta(days=2)


def check(
    env: Environment,
    source: str,
    load_id: str,
    *,
    as_of: datetime | None = None,
    max_quarantine_share: float = 0.01,
) -> list[CheckResult]:
    """Judge every table of a landed load that has new rows.

    `as_of` (aware) is the present for freshness; without it (old data sets) a load may be of any
    age. Timestamps are never compared with anything later than two days from now.
    `max_quarantine_share` is the source's own, from sources.yml.
    """
    history = read_history(env, source, load_id)
    folder = env.lake / f"raw_{source}"
    results: list[CheckResult] = []
    with open_gate() as gate:
        results += deliveries.check(
            gate,
            env,
            source,
            load_id,
            _files(folder / "_deliveries", load_id),
            max_share=max_quarantine_share,
        )
        for table in sorted(path.name for path in folder.glob("[!_]*") if path.is_dir()):
            files = _files(folder / table, load_id)
            earlier = [f for load in history.loads for f in _files(folder / table, load)]
            load = _Load(
                source=source,
                load_id=load_id,
                table=table,
                files=files,
                earlier=earlier,
                history=history,
                as_of=as_of.astimezone(UTC).replace(tzinfo=None) if as_of else None,
            )
            results += load.check(gate)
    return results


def _files(folder: Path, load_id: str) -> list[Path]:
    return sorted(folder.glob(f"{load_id}.*.parquet"))


@dataclass(frozen=True)
class _Load:
    """One table of a load, and what it is compared with; `as_of` is naive UTC."""

    source: str
    load_id: str
    table: str
    files: Sequence[Path]
    earlier: Sequence[Path]
    history: History
    as_of: datetime | None

    def check(self, gate: Gate) -> list[CheckResult]:
        """Nothing for a table without new rows or without a suite."""
        if not self.files:
            return []
        everything = parquet(self.files)
        columns = gate.columns(everything)
        suite = next((s for s in SUITES if s.fits(self.table, columns)), None)
        if suite is None:
            return []
        relation = _kept(everything, columns)
        if not gate.query(f"select count(*) from {relation}")[0][0]:
            return []
        subject = Subject(STAGE, self.table, suite.key, relation, self.source, self.load_id)
        horizon = max(self.as_of or wall_clock(), wall_clock()) + FUTURE
        rules = [*at_horizon(suite.rules, horizon), *volume_rules(self.history, self.table)]
        rules += drift_rules(gate, suite, relation, self._earlier_relation(columns))
        if suite.newest and self.as_of:
            rules.append(fresh(suite.newest, self.as_of - timedelta(days=suite.fresh_days)))
        return judge(gate, subject, rules)

    def _earlier_relation(self, columns: set[str]) -> str | None:
        return _kept(parquet(self.earlier), columns) if self.earlier else None


def _kept(relation: str, columns: set[str]) -> str:
    """Rows that the declared filter refuses, and tombstones, are landed and counted, not judged."""
    judged = {"_is_kept": "coalesce(_is_kept, true)", "_is_deleted": "_is_deleted is not true"}
    tests = [test for column, test in judged.items() if column in columns]
    return f"(select * from {relation} where {' and '.join(tests)})" if tests else relation
