"""The quarantine, read again after a fix: nothing lost, nothing landed or counted twice."""

import json
import random
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from landed_data import PAYMENTS, Configure, kill_children, quarantined, rows_of

from ingestion import replay as replaying
from ingestion import verdicts
from ingestion.lake import committed_loads, deliveries
from ingestion.quarantine import read_quarantine
from ingestion.replay import check_quarantine, replay
from ingestion.run import ingest, ingest_again, pending_loads
from khach.environment import Environment
from khach.errors import KhachError

HEADER = "id,order_id,amount,paid_at\n"
POINT = "replace(amount, ',', '.')"
FIXED = PAYMENTS.replace("amount: amount", f'amount: "{POINT}"').replace(
    "filter: amount > 0", f'filter: "cast({POINT} as decimal(18,5)) > 0"'
)
COLUMNS = "payment_id, order_id, amount, paid_at, _is_kept, _file, _row"
AT = "2026-01-01 10:00:00"


def totals(env: Environment, source: str = "shop", *, without: tuple[str, ...] = ()) -> list[int]:
    """Rows offered, landed, quarantined over all loads; each load must add up by itself."""
    loads = [load.load_id for load in committed_loads(env, source) if load.load_id not in without]
    found = [0, 0, 0]
    for counts in verdicts_of(env, source, loads):
        assert counts[0] == counts[1] + counts[2]
        found = [a + b for a, b in zip(found, counts, strict=True)]
    assert found[1] == len(rows_of(env, source, "payments", "_row")) or without
    return found


def verdicts_of(env: Environment, source: str, loads: list[str]) -> list[tuple[int, ...]]:
    return [
        counts
        for load in loads
        for counts in verdicts.table_counts(deliveries(env, source, [load])).values()
    ]


def test_rows_that_pass_after_a_fix_land_where_they_stood_and_the_others_stay(
    env: Environment, configure: Configure, folder: Path
) -> None:
    configure(PAYMENTS)
    lines = [f'1,o,"1,5",{AT}', f"2,o,2,{AT}", f'3,o,"-3,25",{AT}', 'short,"', f"4,o,many,{AT}"]
    (folder / "payments-1.csv").write_text(HEADER + "\n".join(lines) + "\n")
    (folder / "payments-2.csv").write_text(HEADER + f'5,o,"5,5",{AT}\n')
    ingest(env, "shop")
    assert totals(env) == [6, 1, 5]
    (folder / "payments-1.csv").unlink()  # the quarantine alone is enough
    found = replay(env, "shop")
    assert found.load is None
    assert totals(env) == [6, 1, 5]
    configure(FIXED)
    found = replay(env, "shop")
    assert [(one.tried, one.landed, one.kept) for one in found.tables] == [(5, 3, 2)]
    assert found.load is not None
    assert totals(env) == [6, 4, 2]
    assert rows_of(env, "shop", "payments", "payment_id, amount, _is_kept, _file, _row") == [
        ("1", Decimal("1.5"), True, "payments-1.csv", 1),
        ("2", Decimal(2), True, "payments-1.csv", 2),
        ("3", Decimal("-3.25"), False, "payments-1.csv", 3),
        ("5", Decimal("5.5"), True, "payments-2.csv", 1),
    ]
    counted = "file, rows_offered, rows_landed, rows_quarantined, filtered"
    assert [row for row in rows_of(env, "shop", "_deliveries", counted) if row[1] == 0] == [
        ("payments-1.csv", 0, 2, -2, 1),
        ("payments-2.csv", 0, 1, -1, 0),
    ]
    assert [row["line"] for row in quarantined(env, "shop", "payments", "payments-1.csv")] == [4, 5]
    assert not quarantined(env, "shop", "payments", "payments-2.csv")
    assert replay(env, "shop").load is None
    assert totals(env) == [6, 4, 2]
    (item,) = check_quarantine(env, "shop")
    assert item.found.startswith("2 rows: ")
    assert "many" not in item.found


def test_a_rejected_replay_puts_its_rows_back(
    env: Environment, configure: Configure, folder: Path
) -> None:
    configure(PAYMENTS)
    (folder / "payments-1.csv").write_text(HEADER + f'1,o,"1,5",{AT}\n2,o,2,{AT}\n')
    ingest(env, "shop")
    configure(FIXED)
    first = replay(env, "shop").load
    assert first is not None
    verdicts.reject(env, "shop", first.load_id, by="gate", reason="wrong")
    assert not read_quarantine(env, "shop")
    second = replay(env, "shop").load
    assert second is not None
    assert totals(env, without=(first.load_id,)) == [2, 2, 0]
    verdicts.reject(env, "shop", second.load_id, by="gate", reason="wrong again")
    configure(PAYMENTS)
    assert replay(env, "shop").load is None
    assert len(quarantined(env, "shop", "payments", "payments-1.csv")) == 1
    # Delivered again and right: the old row has nothing to say any more.
    (folder / "payments-1.csv").write_text(HEADER + f"1,o,1.5,{AT}\n2,o,2,{AT}\n")
    ingest(env, "shop")
    configure(FIXED)
    assert replay(env, "shop").load is None


def test_a_rejected_load_is_read_again_whole_when_a_person_says_so(
    env: Environment, configure: Configure, folder: Path
) -> None:
    configure(PAYMENTS)
    (folder / "payments-1.csv").write_text(HEADER + f'1,o,"1,5",{AT}\n2,o,2,{AT}\n')
    bad = ingest(env, "shop")
    assert bad is not None
    with pytest.raises(KhachError, match="is pending, not rejected"):
        ingest_again(env, "shop", bad.load_id)
    verdicts.reject(env, "shop", bad.load_id, by="gate", reason="half of it unreadable")
    configure(FIXED)
    assert ingest(env, "shop") is None  # or every run would be stopped by it
    found = replay(env, "shop")
    assert (found.load, found.withheld) == (None, 1)  # its rows come again with the whole load
    good = ingest_again(env, "shop", bad.load_id)
    assert good.tables["payments"].rows_landed == 2
    assert totals(env, without=(bad.load_id,)) == [2, 2, 0]
    assert ingest(env, "shop") is None
    with pytest.raises(KhachError, match="another load has it"):
        ingest_again(env, "shop", bad.load_id)
    with pytest.raises(KhachError, match="does not exist"):
        ingest_again(env, "shop", "1.5")


@pytest.mark.parametrize("spot", ["before the commit", "after the commit", "before the settling"])
def test_a_kill_at_any_step_of_a_replay_is_made_good_by_the_next(
    env: Environment, configure: Configure, folder: Path, monkeypatch: pytest.MonkeyPatch, spot: str
) -> None:
    configure(PAYMENTS)
    (folder / "payments-1.csv").write_text(HEADER + f'1,o,"1,5",{AT}\n2,o,x,{AT}\n3,o,3,{AT}\n')
    ingest(env, "shop")
    configure(FIXED)

    def killed(*_args: object, **_kwargs: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        if spot == "before the commit":
            patched.setattr(replaying.dlt_pipeline, "land", killed)
        elif spot == "after the commit":
            patched.setattr(replaying, "landed", killed)
        else:
            settle, calls = replaying._settle, iter([0])
            patched.setattr(
                replaying, "_settle",
                lambda *a: settle(*a) if next(calls, None) == 0 else killed(),
            )  # fmt: skip
        with pytest.raises(KeyboardInterrupt):
            replay(env, "shop")
    replay(env, "shop")
    assert totals(env) == [3, 2, 1]
    assert [row["line"] for row in quarantined(env, "shop", "payments", "payments-1.csv")] == [2]
    assert {load.load_id for load in pending_loads(env)} == {
        load.load_id for load in committed_loads(env, "shop")
    }


@pytest.mark.parametrize("kills", [3, pytest.param(30, marks=pytest.mark.nightly)])
def test_replays_killed_at_drawn_calls_end_like_a_twin_that_never_had_the_fault(
    env: Environment, configure: Configure, folder: Path, kills: int
) -> None:
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")  # noqa: T201
    texts = (PAYMENTS.replace("FOLDER", str(folder)), FIXED.replace("FOLDER", str(folder)))
    kill_children(folder, seed, kills, "replay", DEFECTIVE=texts[0], REPAIRED=texts[1])
    twin = replace(env, home=env.home / "twin")
    twin.home.mkdir()
    ingest(twin, "shop")
    assert rows_of(env, "shop", "payments", COLUMNS) == rows_of(twin, "shop", "payments", COLUMNS)
    assert totals(env) == totals(twin)
    assert not read_quarantine(env, "shop")
    assert {load.load_id for load in pending_loads(env, source="shop")} == {
        load.load_id for load in committed_loads(env, "shop")
    }


@settings(max_examples=5)
@given(
    st.lists(
        st.tuples(
            st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=6).map(
                lambda text: text + '"\n,é'
            )
            | st.text("ab,\"'\n", max_size=4),
            st.sampled_from(["1,5", "2", "x", "", "0,00001", "-7,5"]),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_after_the_fix_it_is_as_if_the_fix_had_always_been_there(
    env: Environment, configure: Configure, folder: Path, rows: list[tuple[str, str]]
) -> None:
    for path in folder.iterdir():
        path.unlink()
    installation = replace(env, home=env.home / f"try-{len(list(env.home.iterdir()))}")
    twin = replace(env, home=env.home / f"twin-{len(list(env.home.iterdir()))}")
    for one in (installation, twin):
        one.home.mkdir()
    text = "".join(
        ",".join([str(n), '"' + note.replace('"', '""') + '"', f'"{amount}"', AT]) + "\n"
        for n, (note, amount) in enumerate(rows)
    )
    (folder / "payments-1.csv").write_text(HEADER + text, newline="")
    configure(PAYMENTS)
    ingest(installation, "shop")
    configure(FIXED)
    replay(installation, "shop")
    ingest(twin, "shop")
    assert rows_of(installation, "shop", "payments", COLUMNS) == rows_of(
        twin, "shop", "payments", COLUMNS
    )
    assert totals(installation) == totals(twin)
    assert [row.key for row in read_quarantine(installation, "shop")] == [
        row.key for row in read_quarantine(twin, "shop")
    ]


def test_lines_and_typed_values_are_read_again_exactly(
    env: Environment, configure: Configure, folder: Path
) -> None:
    text = PAYMENTS + (
        "      refunds:\n        from: refunds.parquet\n"
        "        columns: {refund_id: id, amount: amount, refunded_at: moment}\n"
        "      campaigns:\n        from: campaigns.ndjson\n"
        "        columns: {campaign_id: id, cost: cost, audience: audience}\n"
    )
    configure(text)
    duckdb.sql(
        "copy (select * from (values ('a', 12345678901234.567899::decimal(20, 6), timestamptz "
        "'2026-01-01 10:00:00+07', {x: [1]}), ('b', 2.5, null, null)) "
        "as t(id, amount, moment, nested)) "
        f"to '{folder / 'refunds.parquet'}'"
    )
    lines = [{"id": "c", "cost": "1_000"}, {"id": "d", "cost": 5, "audience": {"k": "ợ\u2028"}}]
    (folder / "campaigns.ndjson").write_text(
        "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    )
    ingest(env, "shop")
    assert rows_of(env, "shop", "refunds", "refund_id") == [("b",)]
    text = text.replace(
        "refund_id: id, amount: amount", "refund_id: id, amount: 'round(amount, 4)'"
    )
    configure(text.replace("cost: cost", "cost: \"replace(cost, '_', '')\""))
    replay(env, "shop")
    assert not read_quarantine(env, "shop")
    columns = "refund_id, amount, cast(refunded_at as varchar), _row"
    assert rows_of(env, "shop", "refunds", columns) == [
        ("a", Decimal("12345678901234.5679"), "2026-01-01 03:00:00", 1),
        ("b", Decimal("2.5"), None, 2),
    ]
    assert rows_of(env, "shop", "campaigns", "campaign_id, cost, audience, _row") == [
        ("c", Decimal(1000), None, 1),
        ("d", Decimal(5), '{"k":"ợ\u2028"}', 2),
    ]
