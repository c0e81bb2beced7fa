"""Attribution and lifts against plain Python: the models' own SQL over invented rows."""

import hashlib
import math
import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from unittest.mock import ANY

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, chi2, norm
from shop_story import STORY
from tiny_lake import TinyLake

from khach.state import open_state

pytestmark = pytest.mark.xdist_group("test_marts")  # on the worker that has built the marts
NOON = datetime.fromisoformat("2026-03-15 12:00:00")


@pytest.fixture(scope="module")
def measuring(marts: TinyLake) -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty warehouse in memory with the inputs of attribution and lifts."""
    with duckdb.connect() as connection:
        connection.execute(
            """
            set timezone = 'UTC';
            attach ':memory:' as warehouse;
            create schema warehouse.intermediate;
            create table warehouse.main.orders (
                order_id varchar, customer_id varchar, ordered_at timestamp, ordered_on date,
                gross_amount decimal(18, 4), is_completed boolean
            );
            create table warehouse.intermediate.attribution_touches (
                interaction_id varchar, customer_id varchar, touched_at timestamp,
                touchpoint varchar, campaign_id varchar
            );
            create table warehouse.intermediate.experiment_people (
                drawn_for varchar, campaign_id varchar, audience varchar, customer_id varchar,
                assigned_group varchar, assigned_at timestamp, is_about_carts boolean,
                on_date date, first_order_at timestamp, cart_recovered_at timestamp
            );
            create table warehouse.intermediate.experiment_splits (
                drawn_for varchar, intended_share double, split_source varchar
            );
            create table warehouse.main.segments (
                segment_id varchar, segment_kind varchar, kind varchar
            );
            create table warehouse.intermediate.segment_assignments (
                segment_kind varchar, customer_id varchar, segment_id varchar
            );
            create table warehouse.intermediate.lifecycle_intervals (
                customer_id varchar, stage varchar, valid_from date, valid_to date
            );
            create table warehouse.main.segment_membership (
                segment_kind varchar, customer_id varchar, segment_id varchar, valid_from date,
                valid_to date
            );
            """
        )
        for name in ("attribution", "lifts"):
            [path] = marts.env.dbt_target.glob(f"compiled/**/{name}.sql")
            connection.execute(f"create view {name} as {path.read_text(encoding='utf-8')}")
        yield connection


# A person, and seconds before (or after) noon: around the window's edge, and ties.
TOUCHES = st.lists(
    st.tuples(
        st.sampled_from(("C1", "C2", None)),
        st.sampled_from((0, 1, -1, 60, 86_400, 29 * 86_400, 30 * 86_400, 30 * 86_400 + 1)),
    ),
    max_size=14,
)
ORDERS = st.lists(
    st.tuples(
        st.sampled_from(("C1", "C2", "C3", None)),
        st.decimals(min_value=-99, max_value=10**12, places=4),
        st.sampled_from((0, 1, 86_400)),
        st.booleans(),
    ),
    max_size=4,
)


def share(model: str, place: int, count: int) -> Fraction:
    """The credit of touch `place` (from 1) of `count`, as docs/kpis.md says it."""
    if model == "linear" or count == 1:
        return Fraction(1, count)
    is_first, is_last = place == 1, place == count
    if model in ("first_touch", "last_touch"):
        return Fraction(is_first if model == "first_touch" else is_last)
    if count == 2:
        return Fraction(1, 2)
    return Fraction(2, 5) if is_first or is_last else Fraction(1, 5 * (count - 2))


@given(ORDERS, TOUCHES, st.randoms(use_true_random=False))
def test_credit_is_the_dictionarys_and_adds_up_exactly(
    measuring: duckdb.DuckDBPyConnection,
    told_orders: list[tuple[str | None, Decimal, int, bool]],
    told_touches: list[tuple[str | None, int]],
    shuffler: random.Random,
) -> None:
    orders = [
        (f"O{n}", person, NOON + timedelta(seconds=late), amount, is_completed)
        for n, (person, amount, late, is_completed) in enumerate(told_orders)
    ]
    touches = [
        (f"T{n:02d}", person, NOON - timedelta(seconds=before))
        for n, (person, before) in enumerate(told_touches)
    ]
    expected: dict[tuple[str, str, str | None], Fraction] = {}
    for key, person, at, _, is_completed in orders:
        ages = ((at - touched, touched, touch) for touch, whose, touched in touches
                if whose is not None and whose == person)  # fmt: skip
        path = sorted((touched, touch) for age, touched, touch in ages
                      if timedelta(0) <= age <= timedelta(days=30))  # fmt: skip
        for model in ("first_touch", "last_touch", "linear", "position_based"):
            for place, (_, touch) in enumerate(path or [(at, None)], start=1):
                credit = share(model, place, max(len(path), 1))
                if is_completed and credit:
                    expected[key, model, touch] = credit

    measuring.execute("delete from warehouse.main.orders")
    measuring.execute("delete from warehouse.intermediate.attribution_touches")
    for order in shuffler.sample(orders, len(orders)):
        measuring.execute(
            "insert into warehouse.main.orders by name select $1 as order_id, $2 as customer_id, "
            "$3 as ordered_at, $3::date as ordered_on, $4 as gross_amount, $5 as is_completed",
            list(order),
        )
    for seen in shuffler.sample(touches, len(touches)):
        measuring.execute(
            "insert into warehouse.intermediate.attribution_touches values (?, ?, ?, 'web', null)",
            list(seen),
        )
    found = measuring.execute(
        "select order_id, model, interaction_id, credit, credited_amount from attribution"
    ).fetchall()

    assert len(found) == len(expected)
    amounts = {order[0]: order[3] for order in orders}
    credits: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    credited: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for key, model, touch, credit, amount in found:
        exact = expected[key, model, touch]
        assert abs(Fraction(credit) - exact) <= Fraction(1, 10**12)
        assert abs(Fraction(amount) - exact * Fraction(amounts[key])) <= Fraction(2, 10**4) + abs(
            Fraction(amounts[key])
        ) / Fraction(10**12)
        credits[key, model] += credit
        credited[key, model] += amount
    assert all(total == 1 for total in credits.values())
    assert all(total == amounts[key] for (key, _), total in credited.items())
    assert {key for key, _ in credits} == {order[0] for order in orders if order[4]}


def lifts_of(
    measuring: duckdb.DuckDBPyConnection,
    counts: tuple[int, int, int, int],
    meant: float | None = None,
) -> list[tuple[Any, ...]]:
    """What `lifts` says of one experiment: counts, lift, both ends, whether it is trustworthy.

    `counts`: those treated who converted, all treated; those held out who converted, all of them.
    """
    converted, treated, held_converted, held = counts
    measuring.execute("delete from warehouse.intermediate.experiment_people")
    measuring.execute("delete from warehouse.intermediate.experiment_splits")
    measuring.execute(
        "insert into warehouse.intermediate.experiment_splits values ('campaign:x', ?, null)",
        [meant],
    )
    for group, count, bought in (
        ("treated", treated, converted),
        ("holdout", held, held_converted),
    ):
        measuring.execute(
            "insert into warehouse.intermediate.experiment_people select 'campaign:x', 'x', null, "
            "$1 || n, $1, $2, false, $2::date, if(n < $3, $2 + interval 3 days, null), null "
            "from range($4) as people (n)",
            [group, NOON, bought, count],
        )
    return measuring.execute(
        "select treated_count, treated_converted, holdout_count, holdout_converted, lift_abs, "
        "lower_95, upper_95, is_trustworthy from lifts where segment_kind = 'all' "
        "and window_days = 3"
    ).fetchall()


def newcombe(converted: int, treated: int, held_converted: int, held: int) -> tuple[float, float]:
    """Method 10 of Newcombe 1998, from Wilson's intervals as scipy has them."""
    (low, high), (held_low, held_high) = (
        binomtest(k, n).proportion_ci(2 * norm.cdf(1.96) - 1, method="wilson")
        for k, n in ((converted, treated), (held_converted, held))
    )
    ct, ch = converted / treated, held_converted / held
    return (
        ct - ch - math.hypot(ct - low, held_high - ch),
        ct - ch + math.hypot(high - ct, ch - held_low),
    )


@pytest.mark.parametrize(
    ("counts", "interval"),
    [  # Newcombe 1998, table II: methods 1 (the first) and 10
        ((56, 70, 48, 80), (0.0575, 0.3425)),
        ((9, 10, 3, 10), (0.1705, 0.8090)),
        ((6, 7, 2, 7), (0.0582, 0.8062)),
        ((5, 56, 0, 29), (-0.0381, 0.1926)),
        ((0, 10, 0, 20), (-0.1611, 0.2775)),
        ((0, 10, 0, 10), (-0.2775, 0.2775)),
        ((10, 10, 0, 20), (0.6791, 1.0000)),
        ((10, 10, 0, 10), (0.6075, 1.0000)),
    ],
)
def test_intervals_are_the_published_ones(
    measuring: duckdb.DuckDBPyConnection,
    counts: tuple[int, int, int, int],
    interval: tuple[float, float],
) -> None:
    [row] = lifts_of(measuring, counts)
    assert row[5:7] == pytest.approx(interval, abs=1e-4)


GROUP = st.tuples(st.integers(0, 400), st.floats(0, 1))  # people, and the share who converted


@given(GROUP, GROUP, st.sampled_from((0.1, 0.15, 0.5, None)))
def test_lift_has_the_dictionarys_interval_and_a_split_that_is_off_is_told(
    measuring: duckdb.DuckDBPyConnection,
    treated_group: tuple[int, float],
    holdout_group: tuple[int, float],
    meant: float | None,
) -> None:
    treated, held = treated_group[0], holdout_group[0]
    converted, held_converted = (int(n * share) for n, share in (treated_group, holdout_group))
    found = lifts_of(measuring, (converted, treated, held_converted, held), meant)

    if not treated + held:
        assert found == []
        return
    [row] = found
    assert row[:4] == (treated, converted, held, held_converted)
    if not treated or not held:
        assert row[4:7] == (None, None, None)
    else:
        ct, ch = converted / treated, held_converted / held
        assert row[4] == pytest.approx(ct - ch, abs=1e-12)
        if min(converted, treated - converted, held_converted, held - held_converted) >= 10:
            error = math.sqrt(ct * (1 - ct) / treated + ch * (1 - ch) / held)
            bounds = ct - ch - 1.96 * error, ct - ch + 1.96 * error
        else:
            bounds = newcombe(converted, treated, held_converted, held)
        assert row[5:7] == pytest.approx(bounds, abs=1e-9)
    if meant is None:
        assert row[7] is None
        return
    n = treated + held
    statistic = (held - n * meant) ** 2 / (n * meant * (1 - meant))
    assert row[7] == (chi2.sf(statistic, 1) >= 0.001)


def test_the_desks_campaigns_and_offers_are_judged_by_what_happened(marts: TinyLake) -> None:
    """The story's desk (crm_story): one mail opened and refused, one call answered, three codes."""
    assert marts.rows(
        "select campaign_id, sent_count, delivered_count, opened_count, clicked_count, "
        "unsubscribed_count from campaign_performance "
        "where segment_kind = 'all' and campaign_id in ('spring', 'ring-1') order by 1"
    ) == [("ring-1", 1, 1, 0, 0, 0), ("spring", 1, 1, 1, 0, 1)]
    # Every customer has a generation, a gender, a province and a stage, so each kind has one row.
    kinds = marts.rows(
        "select segment_kind, count(*), sum(sent_count) from campaign_performance "
        "where campaign_id = 'spring' group by 1"
    )
    for kind in ("all", "gender", "generation", "lifecycle", "province"):
        assert (kind, 1, 1) in kinds
    assert dict(
        marts.rows(
            "select offer_id, redemption_count from offer_performance where segment_kind = 'all'"
        )
    ) == {"7": 2, "8": 0, "LOST": 1, "audience:cart_codes": 4}
    whole, parts = marts.rows(
        "select sum(case when segment_kind = 'all' then attributed_revenue_amount end), "
        "sum(case when segment_kind = 'all' then revenue_amount end) from campaign_performance "
        "union all select sum(credited_amount), null from attribution "
        "where model = 'last_touch' and campaign_id is not null"
    )
    assert whole[0] == (parts[0] or 0)


def test_a_redemption_meets_the_code_it_redeems(marts: TinyLake) -> None:
    """The desk's codes: one used by its holder in time, one by another and late, one by nobody
    known, one still open, one that never went out, one of the staff.
    """
    ids = dict(marts.rows("select email, customer_id from customers where email is not null"))
    p3, p6, p9 = (ids[f"p{person}@hoa.example"] for person in (3, 6, 9))
    with open_state(marts.env) as state:
        for person, customer_id in {"person 3": p3, "person 6": p6, "person 9": p9}.items():
            state.execute(
                "update offer_codes set customer_id = ? where customer_id = ?",
                [customer_id, person],
            )
    again = ["given_codes", "coupon_redemptions", "offer_code_performance"]
    assert not marts.failures("build", "--exclude-resource-type", "unit_test", "-s", *again)

    assert marts.rows(
        "select redemption_id, offer_code, campaign_id, customer_id, given_to_customer_id, "
        "redeemed_by, is_late from coupon_redemptions order by 1"
    ) == [
        ("desk:R1", "TET", None, p3, None, None, None),
        ("desk:R2", "TET", None, ANY, None, None, None),
        ("desk:R3", "LOST", None, None, None, None, None),
        ("desk:R4", "GIO-AA22", "code_sms", p3, p3, "holder", False),
        ("desk:R5", "GIO-BB22", "code_mail", p9, p6, "other", True),
        ("desk:R6", "GIO-CC22", "code_sms", None, p9, "unknown", True),
        ("desk:R7", "GIO-SS22", "code_sms", p9, None, "unknown", False),
    ]
    [order] = [order for order in STORY.orders if order.key.endswith(":O5")]
    assert order.is_completed and order.amount > 0
    counts = (
        "code_count, redeemed_code_count, open_code_count, redemption_count, "
        "holder_redemption_count, other_redemption_count, unknown_redemption_count, "
        "late_redemption_count, order_count, revenue_amount, redemption_rate"
    )
    assert marts.rows(
        f"select sync_id, {counts} from offer_code_performance order by sync_id nulls first"
    ) == [
        (None, 4, 3, 1, 3, 1, 1, 1, 2, 1, order.amount, 0.75),
        ("code_mail", 1, 1, 0, 1, 0, 1, 0, 1, 0, 0, 1.0),
        ("code_sms", 4, 2, 1, 2, 1, 0, 1, 1, 1, order.amount, 0.5),
    ]
    assert marts.rows(
        "select redemption_count, late_redemption_count from offer_performance "
        "where offer_id = 'audience:cart_codes' and segment_kind = 'all'"
    ) == [(4, 2)]


def test_what_people_write_back_meets_the_text_that_it_answers(marts: TinyLake) -> None:
    """The desk's texts: a rating, TC (no more), a word; a digit when no text was near; and STOP
    from a number that tells nobody apart, at which we wrote to somebody.
    """
    ids = dict(marts.rows("select email, customer_id from customers where email is not null"))
    p3, p6, p9 = (ids[f"p{person}@hoa.example"] for person in (3, 6, 9))
    texts = [("ask_sms", p3, "survey"), ("ask_sms", p6, "survey"), ("sale_sms", p9, "marketing")]
    shared = hashlib.sha256(b"12345").hexdigest()
    with open_state(marts.env) as state:
        for number, (sync, customer_id, purpose) in enumerate(texts):
            state.execute(
                "insert into messages by name select ? as sync_id, ? as customer_id, "
                "? as entry_id, 'delivered' as status, 'asked' as audience, 'sms' as "
                "consent_channel, ? as purpose, ? as identifier_hash, 'p' as plan_id, "
                "? as row_number, timestamp '2026-03-10 12:00:00' as sent_at",
                [sync, customer_id, f"e{number}", purpose, shared if number == 2 else "h", number],
            )
    again = ["int_message_replies", "int_consent_words", "int_consent_events", "consents",
             "survey_responses", "interactions", "campaigns", "campaign_recipients",
             "campaign_outcomes", "campaign_performance"]  # fmt: skip
    assert not marts.failures("run", "-s", *again)

    assert marts.rows(
        "select interaction_id, customer_id, kind, campaign_id, content_class from interactions "
        "where source = 'desk' and channel = 'sms' order by 1"
    ) == [
        ("message:desk:T0", p3, "reply", "ask_sms", "feedback"),
        ("message:desk:T1", p6, "reply", "ask_sms", "feedback"),
        ("message:desk:T2", p9, "message", None, None),
        ("message:desk:T3", p9, "reply", "sale_sms", "promotion"),
        ("message:desk:T4", p9, "reply", "sale_sms", "promotion"),
    ]
    assert marts.rows(
        "select response_id, customer_id, survey, kind, score, scale_max from survey_responses "
        "where response_id like '%message%'"
    ) == [("desk:message:T0", p3, "ask_sms", "csat", 4, 5)]
    assert marts.rows(
        "select campaign_id, sent_count, replied_count from campaign_performance "
        "where segment_kind = 'all' and campaign_id like '%_sms' order by 1"
    ) == [("ask_sms", 2, 2), ("sale_sms", 1, 1)]
    assert marts.rows(
        "select distinct customer_id, channel, is_granted, evidence_source, "
        "withdrawn_at::text, count(*) over (partition by customer_id) from consents "
        "where evidence_id like 'message:%' order by 5"
    ) == [
        (p6, "sms", False, "desk", "2026-03-11 00:00:00", 4),
        (p9, "sms", False, "desk", "2026-03-13 00:00:00", 4),
    ]


def test_a_call_meets_the_list_that_it_came_from(marts: TinyLake) -> None:
    """The desk's calls: one of another campaign, one that tells of none to somebody who had left
    the newer of two lists hours before; and whom a list named at the number that was called.
    """
    ids = dict(marts.rows("select email, customer_id from customers where email is not null"))
    p3, p6, p9 = (ids[f"p{person}@hoa.example"] for person in (3, 6, 9))
    stays = [
        ("old_list", p6, "h", "2026-03-01 00:00:00", None),
        ("new_list", p6, "h", "2026-03-04 00:00:00", "2026-03-05 12:00:00"),
        ("left_list", p6, "h", "2026-03-05 00:00:00", "2026-03-05 01:00:00"),
        ("late_list", p6, "h", "2026-03-07 00:00:00", None),
        ("other_list", p3, "h", "2026-03-01 00:00:00", None),
    ]
    again = ["interactions", "campaigns", "campaign_recipients", "campaign_outcomes",
             "campaign_performance", "sync_calls", "customer_contact_facts"]  # fmt: skip

    def recorded(*rows: tuple[str | None, ...]) -> list[tuple[Any, ...]]:
        with open_state(marts.env) as state:
            state.executemany(
                "insert into call_list_entries by name select ? as sync_id, ? as customer_id, "
                "? as identifier_hash, ?::timestamp as listed_at, ?::timestamp as unlisted_at, "
                "'asked' as audience, 'p-' || sync_id as receipt_id",
                rows,
            )
        assert not marts.failures("run", "-s", *again)
        return marts.rows(
            "select interaction_id, sync_id, receipt_id, customer_id, is_answered from sync_calls"
        )

    assert recorded(*stays) == [("call:desk:C2", "new_list", "p-new_list", p6, False)]
    assert marts.rows(
        "select campaign_id, channel, audience, sent_count, delivered_count "
        "from campaign_performance join campaigns using (campaign_id) "
        "where segment_kind = 'all' and campaign_id like '%_list'"
    ) == [("new_list", "phone", "asked", 1, 0)]
    assert marts.rows(
        "select interaction_id, campaign_id, customer_id from interactions "
        "where kind = 'call' order by 1"
    ) == [("call:desk:C1", "ring-1", p3), ("call:desk:C2", "new_list", p6)]
    assert marts.rows(
        "select last_called_at::text from intermediate.customer_contact_facts "
        f"where customer_id = '{p6}'"
    ) == [("2026-03-06 04:00:00",)]
    assert marts.rows(
        "select purpose, is_granted, withdrawn_at::text from consents "
        f"where channel = 'phone' and customer_id = '{p3}' and evidence_id like 'call:%' order by 1"
    ) == [
        (purpose, False, "2026-03-06 03:00:00")
        for purpose in ("advertising", "marketing", "survey")
    ], "who does not want to be called is not called again, but for service"
    named = hashlib.sha256(b"+84912000777").hexdigest()
    assert recorded(("number_list", p9, named, "2026-03-02 00:00:00", None)) == [
        ("call:desk:C2", "number_list", "p-number_list", p9, False)
    ], "whom the list named at the number that was called"


def test_an_audience_is_measured_by_the_draws_of_its_syncs(marts: TinyLake) -> None:
    drawn_at = datetime.fromisoformat("2026-03-10 00:00:00")
    customers = {
        int(email.removeprefix("p").removesuffix("@hoa.example")): customer_id
        for customer_id, email in marts.rows("select customer_id, email from customers")
        if email and email.endswith("@hoa.example")
    }
    with open_state(marts.env) as state:
        for person, customer_id in customers.items():
            group = "holdout" if person % 3 == 0 else "treated"
            state.execute(
                "insert into holdouts values ('cart_people', ?, ?, ?, 1)",
                [customer_id, group, drawn_at],
            )
    assert not marts.failures("run", "-s", "experiment_people", "experiment_splits", "lifts")

    bought = {
        order.person for order in STORY.orders
        if order.status != "cancelled" and drawn_at < order.at <= drawn_at + timedelta(days=7)
    }  # fmt: skip
    held = {person for person in customers if person % 3 == 0}
    treated = customers.keys() - held
    assert held & bought
    assert treated & bought
    assert marts.rows(
        "select treated_count, treated_converted, holdout_count, holdout_converted, is_trustworthy "
        "from lifts where audience = 'cart_people' and segment_kind = 'all' and metric = 'order' "
        "and window_days = 7"
    ) == [(len(treated), len(treated & bought), len(held), len(held & bought), None)]
    recovered = marts.rows(
        "select treated_count, holdout_count from lifts "
        "where audience = 'cart_people' and segment_kind = 'all' and metric = 'cart_recovery'"
    )
    assert recovered == [(len(treated), len(held))]
