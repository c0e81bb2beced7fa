"""People who are sent a code of their own use it, forget it or pass it on, whoever sent it."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC
from pathlib import Path

import pytest
from retailer import fingerprint, query

from sandbox import channels, control, platform_state
from sandbox.channels import store

_DAYS, _FORGOTTEN_DAYS = 6, 3


def _send(root: Path, codes: dict[str, tuple[str, str]]) -> None:
    """Have the platform say that each number was sent its code."""
    store.prepare(root)
    now = platform_state.simulated_now(root).astimezone(UTC)
    with closing(store.connect(root)) as connection:
        for phone, (code, _) in codes.items():
            content = {"from": "MG1", "body": f"Chào bạn, mã {code} giảm giá."}
            store.log_effect(
                connection, "r", "twilio", "message", recipient=phone, reference="",
                content=content, happened_at=now,
            )  # fmt: skip


@pytest.fixture(scope="module")
def codes(history: Path) -> dict[str, tuple[str, str]]:
    """Number -> the code that it is sent, and its one person."""
    rows = query(
        history,
        "select phone, any_value(person_id) from (select person_id, "
        "unnest(list_distinct([phone, second_phone])) as phone from '{truth}/people.parquet') "
        "group by 1 having count(*) = 1 order by 1 limit 200",
    )
    return {phone: (f"GIO-AAAA{n:06d}", person) for n, (phone, person) in enumerate(rows)}


@pytest.fixture(scope="module")
def answered(
    history: Path, codes: dict[str, tuple[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("answered")
    shutil.copytree(history, root, dirs_exist_ok=True)
    _send(root, codes)
    for _ in range(_DAYS):
        control.advance(root)
    yield root


_REDEEMED = """(
    select redemption_id, offer_code, person_id, order_id, store_id, discount, redeemed_at
    from '{crm}/coupon_redemptions-*.csv'
    join '{truth}/records.parquet' as who
        on who.record_kind = 'coupon_redemptions' and who.record_id = redemption_id
    where offer_code like 'GIO-%'
)"""


def test_some_use_their_code_once_and_some_pass_it_on(
    answered: Path, codes: dict[str, tuple[str, str]]
) -> None:
    holders = dict(codes.values())
    rows = query(answered, f"select offer_code, person_id from {_REDEEMED}")
    assert {code for code, _ in rows} <= holders.keys()
    assert len({code for code, _ in rows}) == len(rows)
    assert 0.1 * len(codes) < len(rows) < 0.5 * len(codes)
    own = sum(holders[code] == person for code, person in rows)
    assert len(rows) / 2 < own < len(rows)


def test_a_code_is_redeemed_by_an_order_that_bears_it_or_a_receipt_in_a_store(
    answered: Path,
) -> None:
    [(web, till, wrong)] = query(
        answered,
        f"""with orders as (select distinct order_id, coupon_code from '{{shop}}/orders-*.csv'),
        taken as (
            select order_id, discount from '{{shop}}/order_lines-*.csv'
            union all
            select receipt_id, discount from '{{tills}}/*/receipt_lines.csv'
        ), off as (select order_id, sum(discount) as off from taken group by 1)
        select count(coupon_code), count(store_id), count(*) filter (
            (coupon_code is null) = (store_id is null) or coupon_code <> offer_code
            or off is distinct from discount or off = 0)
        from {_REDEEMED} left join orders using (order_id) left join off using (order_id)""",
    )
    assert web > 5
    assert till > 5
    assert wrong == 0
    [(unredeemed,)] = query(
        answered,
        f"select count(*) from '{{shop}}/orders-*.csv' where coupon_code like 'GIO-%' "
        f"and order_id not in (select order_id from {_REDEEMED})",
    )
    assert unredeemed == 0


def test_nobody_uses_a_code_before_the_text_has_come(answered: Path, history: Path) -> None:
    sent = platform_state.simulated_now(history)
    [(first, last)] = query(
        answered,
        f"select min(redeemed_at) - interval 7 hour, max(redeemed_at) - interval 7 hour "
        f"from {_REDEEMED}",
    )
    assert first.replace(tzinfo=UTC) > sent
    assert (last - first).days >= _FORGOTTEN_DAYS, "some come when the code has long expired"


def test_the_same_texts_lead_to_the_same_days(
    history: Path, codes: dict[str, tuple[str, str]], tmp_path: Path
) -> None:
    roots = [tmp_path / name for name in ("once", "again", "without")]
    for root in roots:
        shutil.copytree(history, root)
    for root in roots[:2]:
        _send(root, codes)
    for root in roots:
        control.advance(root)
    once, again, without = map(fingerprint, roots)
    assert once == again
    assert once != without


def test_texts_to_telephones_that_are_off_are_not_read(history: Path, tmp_path: Path) -> None:
    root = tmp_path / "off"
    shutil.copytree(history, root)
    _send(root, {"+84900000001": ("GIO-AAAAAAAAAA", "P1"), "+84900000002": ("GIO-BBBB", "P2")})
    for phone, fate in (("+84900000001", "unreachable"), ("+84900000002", "slow")):
        store.set_fate(root, "twilio", phone, fate)
    assert [text.phone for text in channels.texts(root)] == ["+84900000002"]
