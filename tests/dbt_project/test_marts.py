"""The marts against the story's truth, which is told in plain Python and not in SQL."""

import json
import random
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, date, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import pytest
from shop_story import AS_OF, GENERATIONS, LAST_DAY, STORY, build, make_story
from tiny_lake import TinyLake

from activation.rules import compile_rule
from ingestion import compaction
from khach.configuration_versions import record_versions
from khach.environment import PROJECT

SHORTEST_DESCRIPTION = 20  # letters
DAYS = STORY.order_days()
ACTIVE = {"first_time", "repeat", "loyal", "at_risk"}
GONE = {"lapsed", "one_and_done"}


@pytest.fixture(scope="module")
def manifest(marts: TinyLake) -> dict[str, Any]:
    text = (marts.env.dbt_target / "manifest.json").read_text(encoding="utf-8")
    return json.loads(text)


def public_models(manifest: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for node in manifest["nodes"].values():
        is_mart = node["resource_type"] == "model" and "/marts/" in node["original_file_path"]
        if is_mart and node["schema"] == "main" and node["database"] != "state":
            yield node


# What the story says -------------------------------------------------------------------------


def gaps() -> list[int]:
    return [(b - a).days for days in DAYS.values() for a, b in pairwise(days)]


def percentile(values: list[int], share: float) -> float:
    """Linear interpolation between order statistics."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


P40, P80 = percentile(gaps(), 0.4), percentile(gaps(), 0.8)


def stage(person: int, day: date, loyal_order_days: int = 3) -> str:
    """The lifecycle stage at the close of a day, as docs/kpis.md says it."""
    days = [d for d in DAYS.get(person, []) if d <= day]
    if not days:
        return "lead"
    gap = (day - days[-1]).days
    if gap > P80:
        return "one_and_done" if len(days) == 1 else "lapsed"
    if gap > P40 and len(days) >= 2:
        return "at_risk"
    if len(days) == 1:
        return "first_time"
    return "loyal" if len(days) >= loyal_order_days else "repeat"


def months() -> list[tuple[date, date]]:
    """First and last day of the months of the story that are over."""
    starts = [date(2025, 11, 1), date(2025, 12, 1), date(2026, 1, 1), date(2026, 2, 1),
              date(2026, 3, 1), date(2026, 4, 1)]  # fmt: skip
    return [(a, b - timedelta(days=1)) for a, b in pairwise(starts)]


def kpis(marts: TinyLake, kpi: str, slice_: str = "all") -> dict[tuple[date, str], Any]:
    """(month, slice value) -> (numerator, denominator, value)."""
    rows = marts.rows(
        "select period_start, slice_value, numerator, denominator, value from kpi_values "
        f"where kpi = '{kpi}' and grain = 'month' and slice = '{slice_}'"
    )
    return {(start, value): tuple(rest) for start, value, *rest in rows}


# Customers and segments ----------------------------------------------------------------------


def test_each_person_is_one_customer_with_the_orders_of_both_channels(marts: TinyLake) -> None:
    found = dict(marts.rows("select email, (order_count, order_day_count, gross_revenue_amount, "
                            "net_revenue_amount) from customers"))  # fmt: skip
    expected = {}
    for person in range(60):
        own = [o for o in STORY.completed if o.person == person]
        gross = sum((o.amount for o in own), Decimal(0))
        net = gross - sum((o.refund for o in own), Decimal(0))
        expected[f"p{person}@hoa.example"] = (len(own), len({o.day for o in own}), gross, net)
    assert found == expected


def test_stage_and_thresholds_are_those_of_the_dictionary(marts: TinyLake) -> None:
    # As of the midnight that ends the last day, the day that begins is the day to judge by.
    judged_on = LAST_DAY + timedelta(days=1)
    found = dict(marts.rows("select email, lifecycle_stage from customers"))
    assert found == {f"p{p}@hoa.example": stage(p, judged_on) for p in range(60)}
    assert len(set(found.values())) >= 5
    fits = dict(
        marts.rows("select parameter, value from model_fits where model = 'lifecycle_gaps'")
    )
    assert fits == {"p40_days": pytest.approx(P40), "p80_days": pytest.approx(P80)}


def test_scores_are_fifths_of_percent_rank_with_ties_equal(marts: TinyLake) -> None:
    frequency = {p: len(days) for p, days in DAYS.items()}
    n = len(frequency)

    def score(value: int) -> int:
        below = sum(1 for other in frequency.values() if other < value)
        return min(5, 1 + int(5 * below / (n - 1)))

    found = dict(marts.rows("select email, f_score from customers where f_score is not null"))
    assert found == {f"p{p}@hoa.example": score(count) for p, count in frequency.items()}


def test_deleted_rows_are_in_no_mart_and_accounted_for(marts: TinyLake) -> None:
    """That every other test finds the story unchanged says the rest."""
    counts = marts.rows(
        "select load_id, table_name, rows_in_marts, rows_duplicate, rows_filtered "
        "from intermediate.row_accounting where load_id in ('2', '3') order by all"
    )
    tables = ("customers", "order_lines", "orders", "payments", "products")
    assert counts == [("2", table, 0, 2, 0) for table in tables] + [
        ("3", table, 0, 0, 1) for table in tables
    ]
    assert marts.rows("select count(*) from orders where source_order_id = 'GONE'") == [(0,)]


# KPIs ----------------------------------------------------------------------------------------


def test_sales_by_channel_are_the_stories(marts: TinyLake) -> None:
    orders: Counter[tuple[date, str]] = Counter()
    revenue: dict[tuple[date, str], Decimal] = defaultdict(Decimal)
    unknown: dict[tuple[date, str], Decimal] = defaultdict(Decimal)
    buyers: dict[tuple[date, str], set[int]] = defaultdict(set)
    for order in STORY.completed:
        for key in ((order.day.replace(day=1), order.channel), (order.day.replace(day=1), "all")):
            orders[key] += 1
            revenue[key] += order.amount
            if order.person is None:
                unknown[key] += order.amount
            else:
                buyers[key].add(order.person)
    for slice_ in ("all", "channel"):
        wanted = {key for key in orders if (key[1] == "all") == (slice_ == "all")}

        def values(kpi: str, slice_: str = slice_) -> dict[tuple[date, str], Any]:
            found = kpis(marts, kpi, slice_)
            return {key: row[2] for key, row in found.items() if key[1] != "unknown"}

        assert values("orders") == {key: orders[key] for key in wanted}
        assert values("gross_revenue") == {key: revenue[key] for key in wanted}
        assert values("revenue_unattributed") == {key: unknown[key] for key in wanted}
        assert values("customers") == {key: len(buyers[key]) for key in wanted}
        average = {key: pytest.approx(float(revenue[key] / orders[key])) for key in wanted}
        assert {k: float(v) for k, v in values("average_order_value").items()} == average


def test_net_revenue_is_dated_to_the_order_or_to_the_refund(marts: TinyLake) -> None:
    by_order = {start: Decimal(0) for start, _ in months()}
    by_refund = dict(by_order)
    moments = {
        row["order_id"]: row["refunded_at"]
        for (_, table), rows in STORY.rows.items() if table == "refunds" for row in rows
    }  # fmt: skip
    for order in STORY.completed:
        by_order[order.day.replace(day=1)] += order.amount - order.refund
        by_refund[order.day.replace(day=1)] += order.amount
        if order.refund:
            month = (moments[order.key.split(":")[1]] + timedelta(hours=7)).date().replace(day=1)
            if month in by_refund:  # a refund after the observed period has not been paid yet
                by_refund[month] -= order.refund
    for kpi, expected in (
        ("net_revenue_by_order_day", by_order),
        ("net_revenue_by_refund_day", by_refund),
    ):
        assert {month: row[2] for (month, _), row in kpis(marts, kpi).items()} == expected


def test_repurchase_is_three_different_numbers(marts: TinyLake) -> None:
    repeat, returning, second = {}, {}, {}
    for start, end in months():
        own = {p: [d for d in days if start <= d <= end] for p, days in DAYS.items()}
        buyers = [p for p, days in own.items() if days]
        repeat[start] = (sum(len(own[p]) >= 2 for p in buyers), len(buyers))
        moments = defaultdict(list)
        for order in STORY.completed:
            if order.person is not None:
                moments[order.person].append(order)
        returning[start] = (
            sum(
                min(o.at for o in moments[p])
                < max(o.at for o in moments[p] if start <= o.day <= end)
                for p in buyers
            ),
            len(buyers),
        )
        cohort = [p for p, days in DAYS.items() if start <= days[0] <= end]
        again = 0
        for p in cohort:
            first = min(moments[p], key=lambda order: order.at)
            later = [o.day for o in moments[p] if o.at > first.at]
            again += bool(later) and (min(later) - first.day).days <= 30
        is_over = end + timedelta(days=30) <= LAST_DAY
        second[start] = (again if is_over else None, len(cohort))
    for kpi, expected in (
        ("repeat_purchase_rate", repeat),
        ("returning_customer_rate", returning),
        ("second_purchase_rate_30d", second),
    ):
        assert {month: row[:2] for (month, _), row in kpis(marts, kpi).items()} == expected
    assert None in {row[0] for row in second.values()}


@pytest.mark.parametrize("channel", ["web", "store"])
def test_a_slice_chooses_customers_and_their_order_days_are_those_on_all_channels(
    marts: TinyLake, channel: str
) -> None:
    repeat, returning = (
        kpis(marts, kpi, "channel") for kpi in ("repeat_purchase_rate", "returning_customer_rate")
    )
    firsts = {p: min(o.at for o in STORY.completed if o.person == p) for p in DAYS}
    has_other = False
    for start, end in months():
        inside = [o for o in STORY.completed if start <= o.day <= end and o.person is not None]
        chosen = {o.person for o in inside if o.channel == channel}
        days = {p: {o.day for o in inside if o.person == p} for p in chosen}
        again = {o.person for o in inside if o.person in chosen and o.at > firsts[o.person]}
        assert repeat[start, channel][:2] == (
            sum(len(own) >= 2 for own in days.values()), len(chosen)
        )  # fmt: skip
        assert returning[start, channel][:2] == (len(again), len(chosen))
        has_other |= any(o.person in chosen and o.channel != channel for o in inside)
    assert has_other


def test_who_enrolled_was_referred_or_signed_up_counts_once(marts: TinyLake) -> None:
    """The desk enrols person 3 in March; persons 3 and 9 refer person 6."""
    march = date(2026, 3, 1)
    bought = any(day >= march for day in DAYS.get(3, []))
    rates = kpis(marts, "loyalty_enrolment_rate")
    assert {month: row[0] for (month, _), row in rates.items() if row[0]} == (
        {march: 1} if bought else {}
    )
    firsts = [days[0].replace(day=1) for days in DAYS.values()]
    referred = [days[0].replace(day=1) for person, days in DAYS.items() if person == 6]
    assert {month: row[:2] for (month, _), row in kpis(marts, "referral_rate").items()} == {
        start: (referred.count(start), firsts.count(start)) for start, _ in months()
    }
    signed = sum(row[2] for row in kpis(marts, "sign_ups").values())
    assert signed == marts.rows("select count(*) from customers")[0][0] == 60
    assert sum(row[2] for row in kpis(marts, "sign_ups", "channel").values()) == signed


def test_segment_slices_are_counted_from_each_segments_members(marts: TinyLake) -> None:
    """Of the stages and cells, of which everybody is in one, and of the flags, which overlap."""
    members = marts.rows(
        "select segment_id, email from segment_membership join customers using (customer_id) "
        "join segments using (segment_id, segment_kind) where valid_to is null "
        "and (segment_kind in ('lifecycle', 'rfm') or segment_kind = segment_id)"
    )
    assert {"lifecycle_loyal", "loyal_by_frequency", "referrer"} <= {row[0] for row in members}
    person = {f"p{p}@hoa.example": p for p in range(60)}
    found = kpis(marts, "orders", "segment")
    for start, end in months():
        orders = Counter(o.person for o in STORY.completed if start <= o.day <= end)
        expected: Counter[str] = Counter({"unknown": orders[None]})
        for segment, email in members:
            expected[segment] += orders[person[email]]
        assert {
            segment: int(row[2]) for (month, segment), row in found.items()
            if month == start and row[2]
        } == {segment: count for segment, count in expected.items() if count}  # fmt: skip


def test_moves_between_stages_count_whoever_stood_there_at_the_start(marts: TinyLake) -> None:
    expected: dict[str, dict[date, tuple[int, int]]] = defaultdict(dict)
    for start, end in months():
        held = {p: stage(p, start - timedelta(days=1)) for p in DAYS}
        span = [start + timedelta(days=n) for n in range(-1, (end - start).days + 1)]
        moves = {p: list(pairwise(stage(p, day) for day in span)) for p in DAYS}

        def count(base: set[str], old: set[str], new: set[str]) -> tuple[int, int]:
            stood = [p for p in DAYS if held[p] in base]  # noqa: B023
            return (
                sum(any(a in old and b in new for a, b in moves[p]) for p in stood),  # noqa: B023
                len(stood),
            )

        others = ACTIVE | GONE | {"lead"}
        expected["became_loyal_rate"][start] = count({"repeat"}, others - {"loyal"}, {"loyal"})
        expected["lapse_rate"][start] = count(ACTIVE, ACTIVE, GONE)
        expected["win_back_rate"][start] = count(GONE, GONE, ACTIVE)
    for kpi, by_month in expected.items():
        assert {month: row[:2] for (month, _), row in kpis(marts, kpi).items()} == by_month
        assert sum(numerator for numerator, _ in by_month.values()) > 0, f"{kpi} is never tested"


def test_cart_rates_are_over_their_own_carts(marts: TinyLake) -> None:
    carts = marts.rows(
        "select cast(last_activity_at + interval 7 hour as date), customer_id is not null, "
        "is_abandoned, is_recovered, assigned_group from carts where item_count > 0"
    )
    assert len(carts) == 120
    rates = kpis(marts, "cart_abandonment_rate", "contact")
    recoveries = kpis(marts, "cart_recovery_rate_gross", "contact")
    lifts = kpis(marts, "cart_recovery_incremental")
    for start, end in months():
        own = [cart for cart in carts if start <= cart[0] <= end]
        is_over = end + timedelta(days=7) <= LAST_DAY
        for contact, chosen in (
            ("known", [c for c in own if c[1]]), ("unknown", [c for c in own if not c[1]])
        ):  # fmt: skip
            left = [c for c in chosen if c[2]]
            assert rates[start, contact][:2] == (len(left), len(chosen))
            recovered = sum(c[3] for c in left) if is_over else None
            assert recoveries[start, contact][:2] == (recovered, len(left))
        lift = lifts[start, "all"][2]
        groups = {g: [c[3] for c in own if c[4] == g] for g in ("treated", "holdout")}
        if is_over and all(groups.values()):
            expected = statistics.mean(groups["treated"]) - statistics.mean(groups["holdout"])
            assert float(lift) == pytest.approx(expected, abs=1e-7)
        else:
            assert lift is None


# Conversations, calls, leads and what else the desk exports (crm_story) -----------------------


def test_conversations_have_their_customer_and_answer_also_when_only_messages_came(
    marts: TinyLake,
) -> None:
    found = marts.rows(
        "select conversation_id, email, channel, initiated_by, conversations.status, "
        "date_diff('minute', opened_at, first_answered_at), content_class "
        "from conversations left join customers using (customer_id) order by 1"
    )
    assert found == [
        ("desk:K1", "p3@hoa.example", "livechat", "customer", "closed", 5, "question"),
        ("desk:K2", "p6@hoa.example", "unknown", "customer", "open", None, None),
        ("desk:K3", None, "zalo", "business", "closed", None, "unknown"),
        ("desk:K4", "p9@hoa.example", "zalo", "customer", "open", 60, "complaint"),
    ]


def test_touches_of_the_desk_are_interactions(marts: TinyLake) -> None:
    found = marts.rows(
        "select interaction_id, email, channel, direction, initiated_by, duration_seconds, "
        "conversation_id, campaign_id, order_id is not null, is_answered from interactions "
        "left join customers using (customer_id) where interactions.source = 'desk' "
        "and kind in ('message', 'call', 'appointment', 'referral') and channel <> 'sms' order by 1"
    )
    p3, p6, p9 = "p3@hoa.example", "p6@hoa.example", "p9@hoa.example"
    out, in_ = ("outbound", "business"), ("inbound", "customer")
    assert found == [
        ("appointment:desk:A1", p9, "store", *in_, None, None, None, False, None),
        ("call:desk:C1", p3, "phone", *out, 95, None, "ring-1", False, True),
        ("call:desk:C2", p6, "phone", *out, None, None, None, True, False),
        ("conversation:desk:K1", p3, "livechat", *in_, 1200, "desk:K1", None, False, True),
        ("conversation:desk:K3", None, "zalo", *out, None, "desk:K3", None, False, False),
        ("email:desk:E0", p3, "email", *out, None, None, "spring", False, None),
        ("message:desk:N1", p6, "social", *in_, None, "desk:K2", None, False, None),
        ("message:desk:N2", p6, "social", *out, None, "desk:K2", None, False, None),
        ("message:desk:N3", p9, "zalo", *in_, None, "desk:K4", None, False, None),
        ("message:desk:N4", p9, "zalo", *out, None, "desk:K4", None, False, None),
        ("referral:desk:F1", p3, "unknown", *in_, None, None, None, False, None),
        ("referral:desk:F2", p9, "unknown", *in_, None, None, None, False, None),
    ]


def test_the_class_of_a_content_is_a_word_of_ours(marts: TinyLake) -> None:
    """In whatever case it came; a word of the vendor's that nobody mapped is unknown."""
    assert marts.rows(
        "select interaction_id, content_class from interactions where interaction_id in "
        "('conversation:desk:K1', 'conversation:desk:K3', 'message:desk:N2', 'message:desk:N3', "
        "'message:desk:N4') order by 1"
    ) == [
        ("conversation:desk:K1", "question"), ("conversation:desk:K3", "unknown"),
        ("message:desk:N2", None), ("message:desk:N3", "complaint"),
        ("message:desk:N4", "complaint"),
    ]  # fmt: skip


def test_leads_offers_loyalty_and_referrals_reach_their_marts(marts: TinyLake) -> None:
    assert marts.rows(
        "select lead_id, email, stage, lead_score, outcome, expected_amount "
        "from leads left join customers using (customer_id) order by 1"
    ) == [
        ("desk:L1", "p3@hoa.example", "proposal", 70, "won", 500000),
        ("desk:L2", "p6@hoa.example", "new", None, None, None),
    ]
    assert marts.rows("select offer_id, offer_code, valid_from is null from offers order by 1") == [
        ("7", "TET", False), ("8", "HE", False), ("LOST", "LOST", True),
        ("audience:cart_codes", "audience:cart_codes", True),
    ]  # fmt: skip
    orders = {order.key.partition(":")[2]: order for order in STORY.orders}
    buyer = orders["O0"]
    assert marts.rows(
        "select redemption_id, offer_id, order_id, email from coupon_redemptions "
        "left join customers using (customer_id) order by 1"
    ) == [
        ("desk:R1", "7", None, "p3@hoa.example"),
        ("desk:R2", "7", buyer.key, f"p{buyer.person}@hoa.example"),
        ("desk:R3", "LOST", None, None),
        ("desk:R4", "audience:cart_codes", orders["O5"].key, "p3@hoa.example"),
        ("desk:R5", "audience:cart_codes", None, "p9@hoa.example"),
        ("desk:R6", "audience:cart_codes", None, None),
        ("desk:R7", "audience:cart_codes", None, "p9@hoa.example"),
    ]
    assert marts.rows(
        "select referred.email, referrer.email from customers as referred join customers as "
        "referrer on referred.referred_by_customer_id = referrer.customer_id"
    ) == [("p6@hoa.example", "p3@hoa.example")]
    assert marts.rows("select email, loyalty_tier from customers where loyalty_tier is not null"
    ) == [("p3@hoa.example", "gold")]  # fmt: skip
    assert marts.rows(
        "select csat_score, email_sent_count, email_opened_count from customers "
        "where email = 'p3@hoa.example'"
    ) == [(4, 1, 1)]
    assert marts.rows("select page_view_count, has_order, visitor_type, customer_id from sessions "
                      "where source = 'desk'") == [(4, True, "new", None)]  # fmt: skip
    assert marts.rows(
        "select satisfied_score, scale_min from survey_responses "
        "where source_response_id not like 'message:%'"
    ) == [(4, 1)]


def test_each_part_of_an_entity_accounts_for_its_rows(marts: TinyLake) -> None:
    found = marts.rows(
        "select table_name, rows_in_marts, rows_duplicate from intermediate.row_accounting "
        "where source = 'desk' and table_name like 'messages%' order by 1"
    )
    # N3 was delivered by both parts: one row of the marts, one duplicate.
    assert found == [("messages", 7, 1), ("messages__zalo", 2, 0)]
    total = marts.rows("select sum(rows_in_marts + rows_duplicate) from intermediate.row_accounting"
                       " where source = 'desk'")  # fmt: skip
    landed = sum(len(rows) for (source, _), rows in STORY.rows.items() if source == "desk")
    assert total == [(landed,)]


def test_the_rule_of_a_segment_is_what_runs(marts: TinyLake) -> None:
    """Members of every segment are those for whom the text of its rule is true."""
    rules = dict(marts.rows("select segment_id, rule from segments"))
    judged = marts.rows(
        " union all ".join(
            f"select '{name}', customer_id from intermediate.segment_inputs where {rule}"
            for name, rule in rules.items()
        )
    )
    members = marts.rows(
        "select segment_id, customer_id from segment_membership where valid_to is null"
    )
    assert sorted(judged) == sorted(members)
    exclusive = marts.rows(
        "select segment_kind, count(*), count(distinct customer_id) from segment_membership "
        "join segments using (segment_id, segment_kind) "
        "where is_exclusive and valid_to is null group by all order by all"
    )
    assert {kind for kind, *_ in exclusive} >= {"lifecycle", "rfm", "province", "ward", "store"}
    assert {tuple(counts) for _, *counts in exclusive} == {(60, 60)}
    sizes = Counter(name for name, _ in members)
    seen = {"first_time_buyer", "won_back", "referrer", "relationship_social", "lapsed",
            "relationship_structural", "visited_store_without_purchase"}  # fmt: skip
    assert {name: sizes[name] for name in seen if not 0 < sizes[name] < 60} == {}


def test_the_retailers_own_generations_are_the_segments(marts: TinyLake) -> None:
    born = {
        row["email"]: row["birth_year"]
        for source in ("shop", "tills")
        for row in STORY.rows[source, "customers"]
    }
    expected: Counter[str] = Counter()
    for year in born.values():
        names = [
            name
            for name, first, last, _ in GENERATIONS
            if year and (first or 0) <= year <= (last or year)
        ]
        expected[f"generation_{''.join(names) or 'unknown'}"] += 1
    members = marts.rows(
        "select segment_id, count(*) from segment_membership "
        "where segment_kind = 'generation' and valid_to is null group by all"
    )
    assert dict(members) == expected
    told = marts.rows(
        "select segment_id, segment_name, label_vi, description from segments "
        "where segment_kind = 'generation' order by 1"
    )
    assert told == [
        ("generation_doi_moi", "doi_moi", "Thế hệ Đổi mới", "Born up to 1986"),
        ("generation_gen_y", "Generation Y", "Thế hệ Y", "Born 1987-1996"),
        ("generation_gen_z", "Generation Z", "Thế hệ Z", "Born from 1997"),
        ("generation_unknown", "Generation unknown", "Chưa rõ thế hệ", "No birth year is known"),
    ]


def test_segments_combine_as_the_page_says(marts: TinyLake) -> None:
    page = (PROJECT / "docs" / "segments.md").read_text(encoding="utf-8")
    query = re.findall(r"```sql\n(.*?)```", page, flags=re.DOTALL)[0]
    changed = query.replace("cart_abandoner", "lapsed")
    expected = marts.rows(
        "select customer_id from customers where generation = 'gen_z' and province = 'Hà Nội' "
        "and lifecycle_stage in ('lapsed', 'one_and_done') order by 1"
    )
    assert changed != query
    assert expected
    assert sorted(marts.rows(changed)) == expected
    where = re.findall(r"^where: (.+)$", page, flags=re.MULTILINE)[0]
    rule = compile_rule(where.replace("cart_abandoner", "lapsed"), {"customer_id": "varchar"})
    assert sorted(marts.rows(f"select customer_id from customers where {rule.sql}")) == expected


# The contract --------------------------------------------------------------------------------


def test_every_public_model_is_described_and_its_contract_enforced(
    manifest: dict[str, Any],
) -> None:
    for node in public_models(manifest):
        assert len(node["description"].strip()) >= SHORTEST_DESCRIPTION, node["name"]
        assert node["config"]["contract"]["enforced"], node["name"]
        # "Key." or "Name." tells an analyst nothing.
        bare = [c for c, column in node["columns"].items()
                if len(column["description"].strip()) < SHORTEST_DESCRIPTION]  # fmt: skip
        assert not bare, (node["name"], bare)
        money = [
            c for c, column in node["columns"].items()
            if c.endswith("_amount") and column["data_type"] != "decimal(18,4)"
        ]  # fmt: skip
        assert not money, (node["name"], money)


def test_tables_of_later_releases_are_empty_and_say_so(
    marts: TinyLake, manifest: dict[str, Any]
) -> None:
    flagged = {n["name"] for n in public_models(manifest)
               if n["config"]["meta"].get("not_yet_filled")}  # fmt: skip
    said = {n["name"] for n in public_models(manifest)
            if n["description"].startswith("Not filled yet")}  # fmt: skip
    assert flagged == said
    assert all(marts.rows(f"select count(*) from main.{name}") == [(0,)] for name in flagged)


def test_no_untagged_column_holds_personal_data(marts: TinyLake, manifest: dict[str, Any]) -> None:
    """The tags are complete: no other text column of the marts shows an address or a name."""
    columns = [
        (node["name"], name)
        for node in public_models(manifest)
        for name, column in node["columns"].items()
        if column["data_type"] == "varchar"
        and not (column.get("config") or {}).get("meta", {}).get("personal")
    ]
    leaks = marts.rows(
        " union all ".join(
            f"select '{table}.{column}' from main.{table} "
            f'having count(case when regexp_matches("{column}", '
            "'@hoa[.]example|Nguyễn|^(Minh|Lan|Hoa)$') then 1 end) > 0"
            for table, column in columns
        )
    )
    assert len(columns) > 100
    assert not leaks


def test_the_kpis_are_those_of_the_dictionary(marts: TinyLake) -> None:
    text = (PROJECT / "docs" / "kpis.md").read_text(encoding="utf-8")
    sections = re.split(r"^## ", text, flags=re.MULTILINE)
    promised = set()
    for section in sections:
        if section.startswith(("Sales", "Loyalty", "Carts", "Acquisition", "Engagement", "Value")):
            for cell in re.findall(r"^\| ([a-z_0-9, /]+)(?: \(.*\))? \|", section, re.MULTILINE):
                names = re.split(r",\s*|\s*/\s*", cell)
                promised |= {
                    names[0].replace("_30d", name) if name.startswith("_") else name
                    for name in names
                } - {"name"}
    found = {name for (name,) in marts.rows("select distinct kpi from kpi_values")}
    assert found == promised


def test_unit_tests_of_the_models_pass(marts: TinyLake) -> None:
    assert not marts.failures("test", "-s", "test_type:unit")


@pytest.mark.nightly
def test_the_order_of_delivered_rows_changes_nothing(
    marts: TinyLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turned = make_story()
    for rows in turned.rows.values():
        random.Random(len(rows)).shuffle(rows)
    twin = build(tmp_path, monkeypatch, turned)
    for query in (
        "select * from kpi_values order by all",
        "select * exclude (customer_id) from customers order by email",
        "select * exclude (customer_id) from orders order by order_id",
        "select * exclude (customer_id) from carts order by cart_id",
        "select email, segment_id, valid_from from segment_membership join customers "
        "using (customer_id) order by all",
        "select email, evidence.* exclude (customer_id) from segment_evidence as evidence "
        "join customers using (customer_id) order by all",
        "select email, behaviours.* exclude (customer_id) from customer_behaviours as behaviours "
        "join customers using (customer_id) order by email",
        "select * from segments order by segment_id",
    ):
        assert twin.rows(query) == marts.rows(query)


def test_a_compacted_lake_is_accounted_for_alike(
    marts: TinyLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = "select * from intermediate.row_accounting order by all"
    before = marts.rows(counts)
    monkeypatch.setattr(compaction, "KEPT_LOADS", 0)
    done = compaction.compact(marts.env, "shop", at_least=2)
    assert {one.table for one in done} >= {"customers", "orders", "order_lines", "payments"}
    compaction.remove_replaced(marts.env, "shop")
    assert not marts.failures("run", "-s", "row_accounting")
    assert marts.rows(counts) == before


def test_a_key_is_credited_to_the_load_that_won_and_a_lost_one_does_not_balance(
    marts: TinyLake,
) -> None:
    """As if of a deleted order the load before had won, and staging had lost another one."""
    orders = "staging.stg_entities__orders"
    counts = (
        "select load_id, rows_in_marts, rows_duplicate, rows_filtered "
        "from intermediate.row_accounting where source = 'shop' and table_name = 'orders' "
        "order by load_id"
    )
    before = marts.rows(counts)
    with duckdb.connect(str(marts.env.warehouse)) as connection:
        connection.execute(f"create table kept as from {orders}")
        connection.execute(
            f"update {orders} set _load_id = '2' where _load_id = '3' and source = 'shop'"
        )
        connection.execute(
            f"delete from {orders} where order_id = (select min(order_id) from {orders} "
            "where _load_id = '1' and source = 'shop')"
        )
    try:
        assert not marts.failures("run", "-s", "row_accounting")
        found = marts.rows(counts)
    finally:
        with duckdb.connect(str(marts.env.warehouse)) as connection:
            connection.execute(f"delete from {orders}")
            connection.execute(f"insert into {orders} from kept")
            connection.execute("drop table kept")
        assert not marts.failures("run", "-s", "row_accounting")
    first, *_ = before
    assert before[1:] == [("2", 0, 2, 0), ("3", 0, 0, 1)]
    assert found == [(first[0], first[1] - 1, *first[2:]), ("2", 0, 1, 1), ("3", 0, 1, 0)]
    assert marts.rows(counts) == before


def test_a_change_stands_at_the_present_of_the_run_that_met_it(marts: TinyLake) -> None:
    """There and back twice in runs of one present, then a change that lies ahead of this one."""
    policy = marts.env.config / "policy.yml"
    then = AS_OF - timedelta(days=1)
    for most, present in (3, then), (2, then), (3, then), (2, then), (1, AS_OF + timedelta(days=1)):
        policy.write_text(f"caps: [{{channels: [sms], at_most: {most}}}]", encoding="utf-8")
        record_versions(marts.env, present.replace(tzinfo=UTC))
    policy.unlink()
    assert not marts.failures("build", "-s", "changes")
    told = marts.rows(
        "select changed_at, name, summary from changes where kind = 'policy' order by all"
    )
    assert told == [
        (then, "policy.yml", "caps.0.at_most 2 -> 3"),
        (then, "policy.yml", "caps.0.at_most 3 -> 2"),
        (then, "policy.yml", None),
    ]


# The day after: last, because it moves the tables on --------------------------------------------


def test_the_next_day_appends_changes_and_a_repeated_run_nothing(marts: TinyLake) -> None:
    before = marts.rows("select * from state.main.segment_history order by all")
    spenders = "select customer_id from segment_transitions where segment_kind = 'high_spender' "
    first = marts.rows(spenders + "order by all")
    again = TinyLake(
        marts.env, marts.project, marts.sources, as_of=str(AS_OF + timedelta(days=1)),
        variables={"thresholds": {"high_spend_score": 4, "loyal_order_days": 4}},
    )  # fmt: skip
    chain = ("-s", "lifecycle_thresholds", "lifecycle_intervals", "customers", "segment_inputs",
             "segment_flags", "segment_assignments", "segment_history",
             "segment_transitions")  # fmt: skip
    assert not again.failures("run", *chain)
    after = marts.rows("select * from state.main.segment_history order by all")
    assert set(before) <= set(after)
    assert not again.failures("run", "--full-refresh", *chain)
    assert marts.rows("select * from state.main.segment_history order by all") == after

    moved = marts.rows(
        "select email, from_segment_id, to_segment_id from segment_transitions join customers "
        "using (customer_id) where changed_on = date '2026-04-02' and segment_kind = 'lifecycle' "
        "order by all"
    )
    judged = LAST_DAY + timedelta(days=1), LAST_DAY + timedelta(days=2)
    stages = {p: (stage(p, judged[0]), stage(p, judged[1], 4)) for p in range(60)}
    assert moved == sorted(
        (f"p{p}@hoa.example", f"lifecycle_{old}", f"lifecycle_{new}")
        for p, (old, new) in stages.items()
        if old != new
    )
    # What is counted from raw has one definition for all its days, today's: the entries into loyal
    # of the KPIs are those of the new threshold from the first day on.
    days = [LAST_DAY + timedelta(days=n) for n in range(-200, 3)]
    entries = sorted(
        (f"p{p}@hoa.example", day)
        for p in DAYS
        for before_it, day in pairwise(days)
        if stage(p, before_it, 4) != "loyal" == stage(p, day, 4)
    )
    assert entries
    assert entries == marts.rows(
        "select email, valid_from from intermediate.lifecycle_intervals join customers "
        "using (customer_id) where stage = 'loyal' and previous_stage is not null order by all"
    )
    # A threshold that moved moves the segment: whoever enters it enters on that day.
    entered = marts.rows(
        spenders + "and changed_on = date '2026-04-02' and from_segment_id is null "
        "and to_segment_id = 'high_spender' order by all"
    )
    assert entered == marts.rows("select customer_id from customers where m_score = 4 order by all")
    assert first == marts.rows("select customer_id from customers where m_score = 5 order by all")
    assert entered
