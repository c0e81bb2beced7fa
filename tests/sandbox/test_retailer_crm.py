"""The CRM agrees with the shop and the tills, and shows people as such systems know them."""

import shutil
from pathlib import Path

import pytest
from retailer import query

from sandbox import control
from sandbox.report_crm import BARS

# The newest row of a record that is written again when it changes.
NEWEST = "(select * from '{{crm}}/{0}-*.csv' qualify row_number() over "
NEWEST += "(partition by {1} order by updated_at desc) = 1)"
ENTITIES = {
    "conversations": "conversation_id", "calls": "call_id", "leads": "lead_id",
    "appointments": "appointment_id", "coupon_redemptions": "redemption_id",
    "loyalty_enrolments": "enrolment_id", "referrals": "referral_id",
}  # fmt: skip


@pytest.mark.parametrize(("entity", "key"), ENTITIES.items())
def test_every_record_is_somebodys_and_the_truth_knows_no_other(
    history: Path, entity: str, key: str
) -> None:
    [(written, known, both)] = query(
        history,
        f"""with written as (select distinct {key} as id from '{{crm}}/{entity}-*.csv'),
        known as (select record_id as id from '{{truth}}/records.parquet'
            where source = 'crm' and record_kind = '{entity}')
        select (select count(*) from written), (select count(*) from known),
            (select count(*) from written join known using (id))""",
    )
    assert written == known == both > 0


def test_a_redemption_is_what_the_order_lines_took_off(history: Path) -> None:
    """Every coupon of an order, and every discount of a card, once and to the last dong."""
    [(orders, receipts, wrong)] = query(
        history,
        """with taken as (
            select order_id, 'web' as shop, sum(discount) as discount
            from '{shop}/order_lines-*.csv' where order_id in (
                select order_id from '{shop}/orders-*.csv' where coupon_code is not null)
            group by 1
            union all
            select receipt_id, 'till', sum(discount) from '{tills}/*/receipt_lines.csv' group by 1
            having sum(discount) > 0
        ), told as (
            select order_id, count(*) as times, sum(discount) as discount
            from '{crm}/coupon_redemptions-*.csv' group by 1)
        select count(*) filter (shop = 'web'), count(*) filter (shop = 'till'),
            count(*) filter (times is distinct from 1
                or told.discount is distinct from taken.discount)
        from taken full join told using (order_id)""",
    )
    assert orders > 10
    assert receipts > 100
    assert wrong == 0


def test_codes_are_used_while_they_are_valid_and_are_those_of_the_orders(history: Path) -> None:
    [(used, outside, differing)] = query(
        history,
        """select count(*),
            count(*) filter (redeemed_at not between valid_from and valid_to),
            count(*) filter (o.coupon_code is not null and o.coupon_code <> r.offer_code)
        from '{crm}/coupon_redemptions-*.csv' as r
        join '{crm}/offers-*.csv' as f using (offer_code)
        left join (select distinct order_id, coupon_code from '{shop}/orders-*.csv') as o
            using (order_id)""",
    )
    assert used > 100
    assert (outside, differing) == (0, 0)


def test_the_club_has_the_members_tiers_and_days_of_the_tills(history: Path) -> None:
    [(members, differing)] = query(
        history,
        f"""with club as {NEWEST.format("loyalty_enrolments", "enrolment_id")},
        cards as (select * from '{{tills}}/*/members.csv' qualify row_number() over
            (partition by member_number order by updated_at desc) = 1)
        select count(*), count(*) filter (club.tier is distinct from cards.tier
            or club.enrolled_at is distinct from cards.enrolled_at + interval 7 hours)
        from club full join cards using (member_number)""",
    )
    assert members > 100
    assert differing == 0


def test_times_are_in_order_and_nothing_tells_of_tomorrow(history: Path) -> None:
    [(conversations, leads, future)] = query(
        history,
        """select (select count(*) from '{crm}/conversations-*.csv' where not (
                coalesce(first_answered_at, closed_at, opened_at) >= opened_at
                and coalesce(closed_at, first_answered_at, opened_at)
                    >= coalesce(first_answered_at, opened_at)
                and (status = 'closed') = (closed_at is not null))),
            (select count(*) from '{crm}/leads-*.csv' where not (
                coalesce(contacted_at, created_at) >= created_at
                and (stage = 'new') = (contacted_at is null)
                and (stage in ('won', 'lost')) = (outcome is not null))),
            (select count(*) from (
                select updated_at, filename from read_csv('{crm}/conversations-*.csv')
                union all select updated_at, filename from read_csv('{crm}/leads-*.csv')
                union all select updated_at, filename from read_csv('{crm}/appointments-*.csv')
                union all select started_at, filename from read_csv('{crm}/calls-*.csv'))
            where updated_at::date <> regexp_extract(filename, '\\d{{4}}-\\d\\d-\\d\\d')::date)""",
    )
    assert (conversations, leads, future) == (0, 0, 0)


def test_a_live_chat_is_a_visitors_of_that_day(history: Path) -> None:
    [(chats, strangers)] = query(
        history,
        """select count(*), count(*) filter (v.person_id is distinct from t.person_id)
        from (select distinct conversation_id, visitor_id, opened_at from
            '{crm}/conversations-*.csv' where channel = 'livechat') as c
        join '{truth}/records.parquet' as t
            on record_kind = 'conversations' and record_id = conversation_id
        left join (select distinct person_id, anonymous_id from
            '{truth}/journal/visits-*.parquet') as v
            on v.anonymous_id = c.visitor_id and v.person_id = t.person_id""",
    )
    assert chats > 20
    assert strangers == 0


def test_the_journal_knows_every_visit_cart_and_order(history: Path) -> None:
    [(orders, wrong, carts)] = query(
        history,
        """with told as (select order_id, person_id, total, cart_id
            from '{truth}/journal/visits-*.parquet' where order_id is not null),
        ordered as (select order_id, min(person_id) as person_id, any_value(cart_id) as cart_id
            from (select distinct order_id, cart_id from '{shop}/orders-*.csv')
            join '{truth}/records.parquet' on record_kind = 'orders' and record_id = order_id
            group by 1),
        due as (select order_id, sum(amount) as total from '{shop}/order_lines-*.csv' group by 1)
        select count(*), count(*) filter (told.person_id is distinct from ordered.person_id
                or told.cart_id is distinct from ordered.cart_id
                or told.total is distinct from due.total),
            (select count(distinct cart_id) from '{truth}/journal/visits-*.parquet')
        from told full join ordered using (order_id) full join due using (order_id)""",
    )
    assert orders > 100
    assert wrong == 0
    assert carts > orders


def test_tastes_move_prices_and_coupons(history: Path) -> None:
    found = {
        value: (price, coupons)
        for value, price, coupons in query(
            history,
            """select value, avg(unit_price), avg((coupon_code is not null)::int)
            from '{shop}/order_lines-*.csv'
            join (select distinct order_id, coupon_code from '{shop}/orders-*.csv')
                using (order_id)
            join '{truth}/records.parquet' on record_kind = 'orders' and record_id = order_id
            join '{truth}/people.parquet' using (person_id) group by 1""",
        )
    }
    assert found["quality"][0] > 1.2 * found["price"][0]
    assert found["price"][1] > 1.5 * found["quality"][1]


def test_the_report_fails_when_the_crm_is_easy(history: Path, tmp_path: Path) -> None:
    easy = tmp_path / "easy"
    shutil.copytree(history, easy)
    for file in (easy / "exports/crm").glob("conversations-*.csv"):
        header, *rows = file.read_text().splitlines()
        answered = [row for row in rows if '"closed"' in row and row.split(",")[3]]
        file.write_text("\n".join([header, *answered]) + "\n")
    found = control.report(easy)
    assert {name for name in BARS if not found[name]["ok"]} >= {
        "conversations_left_open", "chats_without_account",
    }  # fmt: skip
