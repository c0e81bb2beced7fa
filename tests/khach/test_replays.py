"""What a replay of an earlier day takes over from the present: what was known by then, no more."""

import re
from datetime import UTC, date, datetime

import pytest

from ingestion.verdicts import accept, reject
from khach.environment import PROJECT, Environment
from khach.errors import ConfigError
from khach.replays import _KNOWN, _LEDGERS, moment_of, prepare
from khach.runs import utc_now
from khach.state import open_state

DAY = date(2026, 6, 29)


def _land(env: Environment, load_id: str) -> None:
    with open_state(env) as state:
        state.execute(
            "insert into loads (source, load_id, landed_at, verdict) "
            "values ('shop', ?, '2026-06-01', 'pending')",
            [load_id],
        )


def _known(env: Environment, at: datetime | None = None) -> list[tuple[str, str]]:
    with open_state(prepare(env, DAY, at).env) as state:
        return state.execute("select load_id, verdict from loads order by 1").fetchall()


def _now() -> datetime:
    return utc_now().replace(tzinfo=UTC)


@pytest.fixture
def shop(env: Environment, monkeypatch: pytest.MonkeyPatch) -> Environment:
    monkeypatch.setattr("ingestion.verdicts.record_landed", lambda *_: None)
    (env.config / "settings.yml").write_text("margin_rate: 0.4\n", encoding="utf-8")
    return env


def test_a_load_counts_by_the_verdict_that_it_had_then(shop: Environment) -> None:
    for load_id in ("1", "2", "3"):
        _land(shop, load_id)
    accept(shop, "shop", "1", by="r1", reason="gate")
    reject(shop, "shop", "2", by="r1", reason="gate")
    then = _now()
    reject(shop, "shop", "1", by="a person", reason="wrong file")
    accept(shop, "shop", "2", by="a person", reason="fixed")
    accept(shop, "shop", "3", by="r2", reason="gate")

    assert _known(shop, then) == [("1", "accepted"), ("2", "rejected")]
    assert _known(shop) == [("1", "rejected"), ("2", "accepted"), ("3", "accepted")]


def test_nothing_known_by_then_is_said_so(shop: Environment) -> None:
    before = _now()
    _land(shop, "1")
    accept(shop, "shop", "1", by="r1", reason="gate")
    with pytest.raises(ConfigError, match="no load was accepted by then"):
        prepare(shop, DAY, before)


def test_the_period_ends_where_the_snapshot_of_that_day_ended(shop: Environment) -> None:
    _land(shop, "1")
    accept(shop, "shop", "1", by="r1", reason="gate")
    night = datetime(2026, 6, 29, 19, tzinfo=UTC)  # two in the morning in Viet Nam
    with open_state(shop) as state:
        state.execute(
            "insert into snapshots values ('s1', 'r1', ?, ?, true)",
            [night.replace(tzinfo=None), utc_now()],
        )
    midnight = datetime(2026, 6, 29, 17, tzinfo=UTC)
    assert prepare(shop, DAY, _now()).as_of == night
    assert prepare(shop, DAY).as_of == midnight
    assert prepare(shop, date(2026, 6, 1), _now()).as_of == datetime(2026, 6, 1, 17, tzinfo=UTC)


def test_a_time_without_an_offset_is_the_business_one() -> None:
    zone = "Asia/Ho_Chi_Minh"
    assert moment_of("2026-06-30T09:00", zone) == datetime(2026, 6, 30, 2, tzinfo=UTC)
    assert moment_of("2026-06-30T09:00+00:00", zone) == datetime(2026, 6, 30, 9, tzinfo=UTC)
    for wrong in ("then", "2999-01-01T00:00"):
        with pytest.raises(ConfigError):
            moment_of(wrong, zone)


def test_every_table_of_state_that_a_model_reads_is_taken_over() -> None:
    read = {
        name
        for path in (PROJECT / "dbt_project").rglob("*.sql")
        for name in re.findall(r"\bstate\.main\.([a-z_]+)", path.read_text(encoding="utf-8"))
    }
    assert read >= {"loads", "configuration_versions"}
    assert read <= {*_KNOWN, *_LEDGERS}
