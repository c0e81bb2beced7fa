"""Matching of records without a common identifier: the public sets, and 50,000 records.

Settings are the defaults: no column that tells the truth is read, nothing is set per data set.
"""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import duckdb
import numpy as np
import pyarrow as pa

from benchmarks.persons import Maker
from identity.components import components
from identity.evaluate import Evaluation, evaluate
from identity.matching import Matches, match

RECORDS, SECONDS, GIBIBYTES = 50_000, 120, 2


class Bar(NamedTuple):
    f1: float
    precision: float = 0.0


BARS = {
    "febrl1": Bar(0.998),
    "febrl2": Bar(0.998),
    "febrl1 without national id": Bar(0.997),
    "febrl2 without national id": Bar(0.997),
    "splink_fake_1000": Bar(0.955, 0.98),
}


def public(samples: Path) -> Iterator[tuple[str, pa.Table, pa.Table]]:
    """Name, records and truth of each public set."""
    for name in ("febrl1", "febrl2"):
        for suffix, national in (("", "soc_sec_id"), (" without national id", "null::varchar")):
            yield (
                name + suffix,
                _table(
                    "record_id as record_key, given_name, surname as family_name, "
                    "date_of_birth as birth_date_text, suburb as city, postcode as postal_code, "
                    "concat_ws(' ', street_number, address_1, address_2) as address, "
                    f"state as province, {national} as national_id",
                    samples / name / "records.csv.gz",
                ),
                _table("record_id, entity_id", samples / name / "truth.csv.gz"),
            )
    fake = samples / "splink_fake_1000" / "fake_1000.csv"
    columns = (
        "first_name as given_name, surname as family_name, dob as birth_date_text, city, email"
    )
    truth = "unique_id as record_id, cluster as entity_id"
    yield (
        "splink_fake_1000",
        _table(f"unique_id as record_key, {columns}", fake),
        _table(truth, fake),
    )


def _table(columns: str, path: Path) -> pa.Table:
    query = f"select {columns}, 'set' as source_key from read_csv('{path}', all_varchar = true)"
    with duckdb.connect() as con:
        return con.execute(query).to_arrow_table()


def accuracy(records: pa.Table, truth: pa.Table, found: Matches) -> Evaluation:
    """Pairs within the clusters that the links make, against the truth."""
    place = {key: row for row, key in enumerate(records["record_key"].to_pylist())}
    left, right = (
        np.array([place[key] for key in found.links[side].to_pylist()], dtype=np.int64)
        for side in ("left_key", "right_key")
    )
    resolved = pa.table(
        {
            "record_id": records["record_key"],
            "entity_id": components(len(records), left, right),
        }
    )
    return evaluate(resolved, truth)


def run() -> bool:
    """The public sets in this process, the large one in its own, on one core."""
    samples = os.environ.get("KHACH_SAMPLES") or Path(__file__).parents[2] / "shared" / "data"
    holds = True
    for name, records, truth in public(Path(samples)):
        started = time.perf_counter()
        got = accuracy(records, truth, match(records))
        bar = BARS[name]
        good = got.f1 >= bar.f1 and got.precision >= bar.precision
        holds &= good
        print(
            f"{name:28} F1 {got.f1:.4f} (bar {bar.f1}), precision {got.precision:.4f} "
            f"(bar {bar.precision}), {time.perf_counter() - started:.1f} s"
        )
    return large() and holds


def large() -> bool:
    """Time and memory of 50,000 records in a child that has one core."""
    # Not a fork: the libraries' threads do not survive one.
    code = "import sys; from benchmarks.matching import _large; sys.exit(not _large())"
    return subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def _large() -> bool:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    maker = Maker(20)
    while len(maker.records) < RECORDS:
        for person in maker.family(maker.random.choice((1, 1, 2, 3)) + 1):
            for _ in range(maker.random.choice((1, 1, 1, 2, 3))):
                maker.record(person)
    records, truth = maker.tables()
    maker.records.clear()
    started = time.perf_counter()
    found = match(records)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    got = accuracy(records, truth, found)
    print(
        f"{len(records):,} records: {seconds:.0f} s (bar {SECONDS}), {peak:.2f} GiB "
        f"(bar {GIBIBYTES}), {found.candidates.compared:,} pairs compared, "
        f"F1 {got.f1:.4f}, precision {got.precision:.4f}"
    )
    return seconds < SECONDS and peak < GIBIBYTES


if __name__ == "__main__":
    sys.exit(0 if run() else 1)
