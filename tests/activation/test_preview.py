"""`khach audiences show`: what an audience would do, counted by hand beside it."""

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from activation_shop import AS_OF, AUDIENCE, Person, Shop, people
from hypothesis import given, settings
from hypothesis import strategies as st

from activation.plan import make_plan
from activation.preview import Preview, preview
from khach.errors import ConfigError

NAME = "cart_abandoners"


def touches(shop: Shop, rows: Iterable[tuple[Any, ...]]) -> None:
    """Interactions: customer, channel, kind, by whom, hours before the end of the snapshot."""
    with duckdb.connect(str(shop.env.current / "marts.duckdb")) as marts:
        for number, (customer, channel, kind, by, hours) in enumerate(rows):
            marts.execute(
                "insert into interactions values (?, ?, ?, 'outbound', ?, ?, ?, null)",
                [f"i{number}", customer, channel, kind, by, AS_OF - timedelta(hours=hours)],
            )


def other(shop: Shop, name: str, where: str, **changes: Any) -> None:
    sync = {
        "id": f"{name}_file", "kind": "membership", "channel": "file_drop",
        "consent_channel": "email", "remote": {"folder": "CART_DROP_FOLDER", "format": "csv"},
    }  # fmt: skip
    shop.audience(name=name, where=where, syncs=[sync], **changes)


def seen(shop: Shop) -> Preview:
    return preview(shop.env, NAME)


def test_a_preview_needs_no_channel(bare_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in bare_shop.variables:
        monkeypatch.delenv(name)
    bare_shop.publish([*people(3), Person("c0009", "nine@example.vn", consent=None)])
    shown = seen(bare_shop)
    assert (shown.size, shown.reach) == (4, {"cart_email": 3, "cart_file": 3})
    assert shown.reasons["cart_email"] == {"no_consent": 1}
    with pytest.raises(ConfigError, match="CART_DROP_FOLDER is not set"):
        make_plan(bare_shop.env, "cart_file")


def test_the_overlap_counts_people_by_rule_and_exclusion(bare_shop: Shop) -> None:
    other(bare_shop, "vips", "in_segment('vip')")
    other(bare_shop, "everybody", "customer_id is not null")
    other(bare_shop, "but_the_vips", "customer_id is not null", exclude=["vips"])
    other(bare_shop, "nobody", "order_count > 5")
    outsiders = [Person("c0008", carts=0), Person("c0009", is_test=True)]
    bare_shop.publish([*people(4), *outsiders])
    shown = seen(bare_shop)
    assert [(o.audience, o.people, o.share) for o in shown.overlap] == [
        ("everybody", 4, 1.0), ("but_the_vips", 3, 0.75), ("vips", 1, 0.25),
    ]  # fmt: skip
    assert shown.size == 4


@settings(max_examples=20)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), max_size=8))
def test_overlap_is_the_same_from_both_sides(bare_shop: Shop, crowd: list[tuple[int, int]]) -> None:
    other(bare_shop, "no_order", "orders_since_cart = 0")
    bare_shop.publish(
        [Person(f"c{n}", carts=carts, orders_since=orders)
         for n, (carts, orders) in enumerate(crowd)]
    )  # fmt: skip
    both = sum(carts > 0 and orders == 0 for carts, orders in crowd)
    for mine, theirs in ((NAME, "no_order"), ("no_order", NAME)):
        shown = preview(bare_shop.env, mine)
        assert {o.audience: o.people for o in shown.overlap} == ({theirs: both} if both else {})
        assert all(o.share == both / shown.size for o in shown.overlap)


def test_what_people_received_counts_the_business_and_the_last_seven_days(
    bare_shop: Shop,
) -> None:
    bare_shop.publish([*people(4), Person("c0009", carts=0)])
    touches(bare_shop, [
        ("c0000", "email", "message", "business", 1),
        ("c0000", "email", "message", "business", 167),
        ("c0000", "phone", "call", "business", 0),
        ("c0001", "email", "message", "business", 20),
        ("c0001", "email", "message", "business", 168),    # a week ago to the second
        ("c0001", "email", "open", "customer", 2),
        ("c0002", "phone", "call", "customer", 2),
        ("c0002", "zalo", "message", "business", -1),      # after the snapshot's end
        ("c0009", "email", "message", "business", 1),      # not in the audience
    ])  # fmt: skip
    contacts = seen(bare_shop).contacts
    assert [(r.channel, r.contacts, r.people) for r in contacts.received] == [
        ("email", 3, 2), ("phone", 1, 1),
    ]  # fmt: skip
    assert contacts.received_per_person == 4 / 4
    assert contacts.most_received == 3


def test_what_a_list_would_add_follows_its_cadence(bare_shop: Shop) -> None:
    bare_shop.publish(people(1))
    assert seen(bare_shop).contacts.would_add == {"cart_email": 7.0, "cart_file": 7.0}
    bare_shop.audience(AUDIENCE.replace("cadence: daily", "cadence: weekly"))
    assert seen(bare_shop).contacts.would_add == {"cart_email": 1.0, "cart_file": 7.0}
    bare_shop.audience(AUDIENCE.replace("consent_channel: email", "consent_channel: ads"))
    assert seen(bare_shop).contacts.would_add == {"cart_email": 7.0, "cart_file": 0.0}


def test_the_cost_is_the_reach_by_the_declared_price_or_unknown(bare_shop: Shop) -> None:
    bare_shop.audience(AUDIENCE.replace("consent_channel: email", "consent_channel: phone"))
    bare_shop.publish(people(3))
    assert {cost.amount for cost in seen(bare_shop).costs.values()} == {None}
    assert "once each: unknown (settings.yml, unit_costs)" in seen(bare_shop).text()
    config = bare_shop.env.config / "settings.yml"
    config.write_text("minimum_age: 16\nunit_costs: {email: 30.5, phone: 9, call: 5000}\n")
    email, phone = (seen(bare_shop).costs[sync] for sync in ("cart_email", "cart_file"))
    assert (email.unit, email.amount) == ("email", Decimal("91.5"))
    assert (phone.unit, phone.amount) == ("call", Decimal(0))  # nobody may be called
    config.write_text("minimum_age: 16\nunit_costs: {email: 30, message: 7}\n")
    assert seen(bare_shop).costs["cart_email"].amount == Decimal(21)


def test_an_audience_of_nobody_has_a_preview(bare_shop: Shop) -> None:
    bare_shop.publish([])
    shown = seen(bare_shop)
    assert (shown.size, shown.overlap, shown.contacts.received_per_person) == (0, [], 0.0)
    assert "cart_abandoners: 0 match the rule" in shown.text()
