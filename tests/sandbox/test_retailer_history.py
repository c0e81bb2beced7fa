"""The history is reproducible, survives kills, and agrees with itself."""

import random
import shutil
from pathlib import Path

import pytest
from retailer import advance_killed, events, fingerprint, query

from sandbox import control, world
from sandbox.errors import SandboxError


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(
    history: Path, tmp_path: Path
) -> None:
    control.advance(tmp_path / "twin", size="XS")
    assert fingerprint(tmp_path / "twin") == fingerprint(history)
    with control._locked(tmp_path / "other"):
        control._ensure_history(tmp_path / "other", "XS", 7)
    ours, theirs = fingerprint(history), fingerprint(tmp_path / "other")
    assert ours.keys() == theirs.keys()
    assert ours["truth/people.parquet"] != theirs["truth/people.parquet"]


def test_advancing_equals_one_longer_history(history: Path, tmp_path: Path) -> None:
    advanced, longer = tmp_path / "advanced", tmp_path / "longer"
    shutil.copytree(history, advanced)
    for _ in range(2):
        control.advance(advanced)
    state = world.latest(longer, control.DEFAULT_SEED, control.SIZES["XS"])
    control._run_days(longer, state, control.SIZES["XS"].days + 2)
    assert fingerprint(advanced) == fingerprint(longer)


def test_a_killed_history_and_a_killed_day_end_as_undisturbed_twins(
    history: Path, tmp_path: Path
) -> None:
    seed = random.SystemRandom().randrange(10**6)
    print("kill seed", seed)  # noqa: T201  (shown when the test fails)
    drawn = random.Random(seed)
    root = tmp_path / "killed"
    assert advance_killed(root, "XS", drawn.randrange(5, 200)) == -9
    assert not (root / "clock.json").exists()
    control.advance(root, size="XS")
    assert fingerprint(root) == fingerprint(history)

    twin = tmp_path / "twin"
    shutil.copytree(history, twin)
    control.advance(twin)
    # A day's files and folders are the first 24 writes, then the state, the truth, the clock.
    for writes in (drawn.randrange(24), 26, 28):
        assert advance_killed(root, "XS", writes) == -9
        assert control.status(root)["today"] == control.status(history)["today"]
    control.advance(root)
    assert fingerprint(root) == fingerprint(twin)


def test_size_and_seed_are_fixed_once_the_history_exists(history: Path) -> None:
    with pytest.raises(SandboxError, match="another KHACH_HOME"):
        control.advance(history, size="S")
    with pytest.raises(SandboxError, match="no history"):
        control.report(history / "nowhere")


def test_an_order_is_paid_what_its_lines_cost(history: Path) -> None:
    [(orders, without_lines, wrongly_paid)] = query(
        history,
        """with lines as (
            select order_id, sum(amount) as due from '{shop}/order_lines-*.csv' group by 1
        ), paid as (
            select order_id, sum(amount) as paid from '{shop}/payments-*.csv' group by 1
        ), orders as (select distinct order_id from '{shop}/orders-*.csv')
        select count(*), count(*) filter (due is null), count(*) filter (paid <> due)
        from orders left join lines using (order_id) left join paid using (order_id)""",
    )
    assert orders > 100
    assert (without_lines, wrongly_paid) == (0, 0)
    [(receipts, wrong)] = query(
        history,
        """with due as (
            select receipt_id, sum(amount) as due from '{tills}/*/receipt_lines.csv' group by 1
        ), paid as (
            select receipt_id, sum(amount) as paid from '{tills}/*/payments.csv' group by 1)
        select count(*), count(*) filter (due is distinct from paid)
        from due full join paid using (receipt_id)""",
    )
    assert receipts > 100
    assert wrong == 0


def test_every_key_that_is_referred_to_was_delivered(history: Path) -> None:
    for child, key, parent in (
        ("{shop}/orders-*.csv", "user_id", "{shop}/members-*.csv"),
        ("{shop}/order_lines-*.csv", "product_id", "{shop}/products-*.csv"),
        ("{shop}/consents-*.csv", "user_id", "{shop}/members-*.csv"),
        ("{shop}/experiments-*.parquet", "campaign_id", "{shop}/campaigns-*.csv"),
        ("{mail}/*/sends.parquet", "campaign_id", "{shop}/campaigns-*.csv"),
        ("{mail}/*/sends.parquet", "email_address", "{mail}/*/members.parquet"),
        ("{mail}/*/activity.parquet", "email_address", "{mail}/*/members.parquet"),
        ("{tills}/*/receipts.csv", "store_id", "{tills}/*/stores.csv"),
        ("{tills}/*/receipts.csv", "member_number", "{tills}/*/members.csv"),
        ("{tills}/*/returns.csv", "receipt_id", "{tills}/*/receipts.csv"),
        ("{crm}/conversations-*.csv", "user_id", "{shop}/members-*.csv"),
        ("{crm}/conversations-*.csv", "order_id", "{shop}/orders-*.csv"),
        ("{crm}/calls-*.csv", "member_number", "{tills}/*/members.csv"),
        ("{crm}/appointments-*.csv", "store_id", "{tills}/*/stores.csv"),
        ("{crm}/offers-*.csv", "campaign_id", "{shop}/campaigns-*.csv"),
        ("{crm}/coupon_redemptions-*.csv", "offer_code", "{crm}/offers-*.csv"),
        ("{crm}/loyalty_enrolments-*.csv", "member_number", "{tills}/*/members.csv"),
    ):
        [(rows, orphans)] = query(
            history,
            f"select count(*), count(*) filter ({key} not in (select {key} from '{parent}')) "
            f"from '{child}' where {key} is not null",
        )
        assert rows > 0, (child, key)
        assert orphans == 0, (child, key)


def test_most_web_orders_have_their_event_and_no_event_invents_an_order(history: Path) -> None:
    [(ordered,)] = query(history, "select list(distinct order_id) from '{shop}/orders-*.csv'")
    told = {e["properties"]["order_id"] for e in events(history) if e["event"] == "Order Completed"}
    assert told <= set(ordered)
    assert 0.9 < len(told) / len(ordered) < 1


def test_records_belong_to_one_person_each(history: Path) -> None:
    doubtful = query(
        history,
        """select source, record_kind, record_id from '{truth}/records.parquet'
        where record_kind not in ('anonymous_ids', 'devices')
        group by all having count(*) > 1""",
    )
    assert doubtful == []


def test_a_retailer_of_another_release_says_what_to_delete(
    history: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "data" / "sandbox"
    shutil.copytree(history, old)
    monkeypatch.setattr(world, "LAYOUT", world.LAYOUT + 1)
    with pytest.raises(SandboxError, match=f"delete {tmp_path / 'data'},"):
        control.advance(old)
