"""Days read again: the right ones, each part once, and the ordinary road goes on where it was."""

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from landed_data import PAYMENTS, Configure, rows_of

from ingestion import backfills, run, verdicts
from ingestion.backfills import backfill, finish, parts, require_sources
from ingestion.file_days import days_in_name
from ingestion.run import ingest
from ingestion.spec import SourceSpec
from khach.environment import Environment
from khach.errors import ConfigError, GateError
from orchestration import stages
from orchestration.session import Days, open_session

HEADER = "id,order_id,amount,paid_at\n"
RANGE = (date(2026, 1, 15), date(2026, 2, 10))


def deliver(folder: Path, name: str, *days: str) -> None:
    """A file with one payment a day, at an hour that is the day before in UTC."""
    rows = "".join(f"{name}-{day},o,1,{day} 01:00:00\n" for day in days)
    (folder / name).write_text(HEADER + rows)


def files_read(env: Environment, *loads: str) -> list[str]:
    """The delivered files of some loads, each as often as it was read."""
    delivered = run.lake.deliveries(env, "shop", list(loads))
    return sorted(one.file for _, one in delivered)


@pytest.fixture
def history(env: Environment, configure: Configure, folder: Path) -> Environment:
    """Dated and undated files, ingested once, every row from its first load."""
    configure(PAYMENTS)
    for day in ("2026-01-14", "2026-01-15", "2026-02-10", "2026-02-11"):
        deliver(folder, f"payments-{day}.csv", day)
    deliver(folder, "payments-20260131-x.csv", "2026-03-03")  # the name has the say
    deliver(folder, "payments-long.csv", "2025-12-31", "2026-01-20", "2026-02-05", "2026-03-01")
    deliver(folder, "payments-early.csv", "2025-12-31", "2026-01-14")
    deliver(folder, "payments-late.csv", "2026-02-11")
    deliver(folder, "payments-edge.csv", "2026-02-10")
    assert ingest(env, "shop") is not None
    return env


def test_exactly_the_files_of_the_days_are_read_again_each_in_one_part(
    history: Environment, folder: Path
) -> None:
    before = rows_of(history, "shop", "payments", "payment_id")
    loads = backfill(history, "shop", *RANGE)
    assert [files_read(history, load.load_id) for load in loads] == [
        ["payments-2026-01-15.csv", "payments-20260131-x.csv", "payments-long.csv"],
        ["payments-2026-02-10.csv", "payments-edge.csv"],
    ]
    after = rows_of(history, "shop", "payments", "payment_id")
    assert set(after) == set(before)
    assert len(after) == len(before) + 8
    assert ingest(history, "shop") is None
    deliver(folder, "payments-2026-01-20.csv", "2026-01-20")  # not read before at all
    finish(history, ["shop"], *RANGE)
    first, _ = backfill(history, "shop", *RANGE)
    assert "payments-2026-01-20.csv" in files_read(history, first.load_id)
    assert ingest(history, "shop") is None


def test_a_part_that_is_committed_is_not_repeated_until_the_backfill_is_over(
    history: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = run.dlt_pipeline.land

    def killed(*args: object, **options: object) -> str:
        if len(run.lake.committed_loads(history, "shop")) == 2:
            raise KeyboardInterrupt
        return real(*args, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(run.dlt_pipeline, "land", killed)
        with pytest.raises(KeyboardInterrupt):
            backfill(history, "shop", *RANGE)
    (february,) = backfill(history, "shop", *RANGE)
    assert "payments-edge.csv" in files_read(history, february.load_id)
    assert backfill(history, "shop", *RANGE) == []
    verdicts.reject(history, "shop", february.load_id, by="gate", reason="half a day")
    (again,) = backfill(history, "shop", *RANGE)
    assert files_read(history, again.load_id) == files_read(history, february.load_id)
    finish(history, ["shop"], *RANGE)
    assert len(backfill(history, "shop", *RANGE)) == 2
    assert len(backfill(history, "shop", date(2026, 1, 15), date(2026, 1, 15))) == 1  # another one


def test_a_backfill_is_open_until_a_run_of_it_ends_well(
    history: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    (history.config / "settings.yml").write_text("as_of: latest\n")
    monkeypatch.setattr("khach.report.write_report", lambda _env: None)
    days = Days(*RANGE, sources=["shop"])

    def work(*, fails: bool = False, source: str = "shop") -> list[str]:
        with open_session(history, stages=("ingest",), days=days) as session:
            stages.ingest_source(session, source)
            if fails:
                session.note("ingest", GateError("a gate"))
            return session.notices

    before = len(run.lake.committed_loads(history, "shop"))
    assert work(source="elsewhere") == []  # no source of this backfill: not even looked at
    assert work(fails=True) == []
    assert len(run.lake.committed_loads(history, "shop")) == before + 2
    (notice,) = work()  # what landed is not read again, and now the backfill is over
    assert "no delivery from 2026-01-15 to 2026-02-10 is left" in notice
    assert len(run.lake.committed_loads(history, "shop")) == before + 2
    assert work() == []
    assert len(run.lake.committed_loads(history, "shop")) == before + 4


def test_a_kind_that_cannot_is_refused_before_anything_runs(
    env: Environment, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(PAYMENTS + "  web: {kind: segment, area: web, folder: FOLDER, from: x}\n")
    real = backfills.source_spec

    def spec(kind: str) -> SourceSpec:
        found = real(kind)
        return found if kind == "files" else SourceSpec(
            kind, found.settings, found.tables, found.fetch, found.check, found.replay
        )  # fmt: skip

    monkeypatch.setattr(backfills, "source_spec", spec)
    with pytest.raises(ConfigError, match="web: kind segment cannot") as caught:
        require_sources(env, None)
    assert caught.value.fix == "khach run --from DATE --to DATE --source shop"
    assert caught.value.line == 12
    assert require_sources(env, ["shop"]) == ["shop"]


@given(st.dates(date(2019, 1, 1), date(2030, 1, 1)), st.integers(0, 900))
def test_parts_cover_the_range_without_a_gap_or_an_overlap(first: date, days: int) -> None:
    last = date.fromordinal(first.toordinal() + days)
    found = parts(first, last)
    covered = [
        n for part in found for n in range(part.first.toordinal(), part.last.toordinal() + 1)
    ]
    assert covered == list(range(first.toordinal(), last.toordinal() + 1))
    assert all(part.range_first == first for part in found)


@pytest.mark.parametrize(
    ("name", "days"),
    [
        ("orders-2026-01-05.csv", ("2026-01-05", "2026-01-05")),
        ("2026/01/05/part-0.parquet", ("2026-01-05", "2026-01-05")),
        ("dt=2026-01-05/x-2026-01-06T10.json", ("2026-01-06", "2026-01-06")),
        ("events_20260105.ndjson.gz", ("2026-01-05", "2026-01-05")),
        ("orders-2026-02.csv", ("2026-02-01", "2026-02-28")),
        ("orders-2026-02-30.csv", ("2026-02-01", "2026-02-28")),
        ("orders-1782900000.csv", None),
        ("orders-20260105123000.csv", None),
        ("orders.csv", None),
    ],
)
def test_days_in_a_files_name(name: str, days: tuple[str, str] | None) -> None:
    found = days_in_name(name)
    assert (tuple(str(day) for day in found) if found else None) == days
