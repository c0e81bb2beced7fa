"""`khach customer`: whoever is meant is found, and what is still open with them comes first."""

import json

import duckdb
import pytest

from khach.cli.main import execute
from khach.environment import Environment
from tests.khach.shop import open_shop

# The made-up shop has no desk; these are the tables of one, as of 2026-06-30 17:00 UTC.
DESK = {
    "customer_survivors": """
        from (values
            ('m1', 'c5'), ('m2', 'c5'), ('c5', 'c5'), ('x1', 'x1'), ('x2', 'x1')
        ) as t(customer_id, current_customer_id)""",
    "conversations": """
        select 'c5' as customer_id, 'livechat' as channel, null::varchar as content_class,
            null::varchar as agent, null::varchar as sentiment, null::timestamp as closed_at, *
        from (values
            ('k1', 'open', 'size [42]', timestamp '2026-06-29', timestamp '2026-06-29', true),
            ('k2', 'open', 'delivery', timestamp '2026-06-28', timestamp '2026-06-28', false),
            ('k3', 'closed', 'returns', timestamp '2026-06-30', timestamp '2026-06-30', false)
        ) as t(conversation_id, status, topic, opened_at, last_message_at, is_awaiting_answer)""",
    "interactions": """
        select 'c5' as customer_id, null::varchar as conversation_id, null::varchar as order_id,
            null::varchar as content_class, *
        from (values
            ('i1', 'phone', 'inbound', 'call', timestamp '2026-06-20', false, null),
            ('i2', 'phone', 'outbound', 'call', timestamp '2026-06-21', true, null),
            ('i3', 'phone', 'inbound', 'call', timestamp '2026-06-30', false, null),
            ('i4', 'store', 'inbound', 'appointment', timestamp '2026-07-02', null, 'booked'),
            ('i5', 'store', 'inbound', 'appointment', timestamp '2026-07-03', null, 'cancelled'),
            ('i6', 'store', 'inbound', 'appointment', timestamp '2026-06-03', null, 'booked')
        ) as t(interaction_id, channel, direction, kind, occurred_at, is_answered, outcome)""",
    "carts": """
        from (values
            ('g1', 'c5', timestamp '2026-06-29', 2, 500000, 'Giày', null),
            ('g2', 'c5', timestamp '2026-06-29', 2, 500000, 'Giày', 'o1'),
            ('g3', 'c5', timestamp '2026-01-29', 2, 500000, 'Giày', null)
        ) as t(cart_id, customer_id, last_activity_at, item_count, cart_amount, last_product_name,
            order_id)""",
    "leads": """
        select 'c5' as customer_id, null::double as lead_score,
            timestamp '2026-06-01' as created_at, null::timestamp as contacted_at,
            null::date as expected_close_on, *
        from (values ('l1', 'new', null), ('l2', 'won', 'won')) as t(lead_id, stage, outcome)""",
    "customer_attributes": """
        select 'c5' as customer_id, 'customers' as record_kind, 1 as record_count,
            timestamp '2026-06-01' as observed_at, null::varchar as original_value, *
        from (values
            ('full_name', 'Trần Lan', true, 'most_trusted', 'web_shop', 'U5'),
            ('full_name', 'Lan', false, 'superseded', 'tills', 'M5'),
            ('phone_e164', '+84988888888', false, 'superseded', 'tills', 'M5')
        ) as t(attribute, value, is_golden, rule, source, record_id)""",
}


@pytest.fixture
def desk(env: Environment) -> Environment:
    open_shop(env)
    execute(["init", "--sandbox"])
    with duckdb.connect(str(env.current / "marts.duckdb")) as connection:
        for name, sql in DESK.items():
            connection.execute(f"create table {name} as {sql}")
        connection.execute(
            "insert into orders by name select 'o-open' as order_id, 'c5' as customer_id, "
            "'web' as channel, 'pending' as status, 1 as gross_amount, "
            "timestamp '2026-06-30' as ordered_at"
        )
    return env


def found(capfd, who: str) -> list[dict]:
    capfd.readouterr()
    assert execute(["customer", who, "--json"]) == 0
    return json.loads(capfd.readouterr().out)["customers"]


def test_what_is_still_open_and_nothing_else_comes_first(desk: Environment, capfd) -> None:
    (facts,) = found(capfd, "c5")
    keys = {
        kind: [next(v for k, v in row.items() if k.endswith("_id")) for row in rows]
        for kind, rows in facts["open"].items()
    }
    assert keys == {
        "conversations": ["k1", "k2"],
        "unanswered": ["i3"],
        "appointments": ["i4"],
        "orders": ["o-open"],
        "carts": ["g1"],
        "leads": ["l1"],
    }
    assert execute(["customer", "c5"]) == 0
    shown = capfd.readouterr().out
    assert shown.index("still open") < shown.index("\nprofile") < shown.index("\nidentifiers")
    assert "about size [42] awaits our answer since 2026-06-29" in shown
    assert "Giày" in shown


def test_money_is_shown_as_it_can_be_paid_and_handed_over_as_it_is(
    desk: Environment, capfd
) -> None:
    with duckdb.connect(str(desk.current / "marts.duckdb")) as connection:
        connection.execute(
            "update orders set gross_amount = 2198666.6667 where order_id = 'o-open'"
        )
    (facts,) = found(capfd, "c5")
    assert facts["open"]["orders"][0]["gross_amount"] == 2198666.6667
    for currency, shown in (("VND", "2,198,667\n"), ("USD", "2,198,666.67\n")):
        (desk.config / "settings.yml").write_text(f"reporting_currency: {currency}\n")
        assert execute(["customer", "c5"]) == 0
        assert shown in capfd.readouterr().out


def test_a_merged_away_id_is_its_survivor_and_a_shared_phone_finds_its_records(
    desk: Environment, capfd
) -> None:
    for who in ("m1", "m2", "0988 888 888"):
        assert [facts["profile"]["customer_id"] for facts in found(capfd, who)] == ["c5"]
    # Merges that lead nowhere, or round in a circle, find nobody.
    assert execute(["customer", "x1"]) == 1


def test_a_golden_value_names_its_source_record_and_rule(desk: Environment, capfd) -> None:
    assert execute(["customer", "m1", "--explain", "given_name"]) == 0
    shown = capfd.readouterr().out
    assert "given_name is read from full_name" in shown
    assert "Trần Lan: from web_shop, customers record U5; this source is believed" in shown
    assert execute(["customer", "c5", "--explain", "gender"]) == 0
    assert "no source says anything about gender" in capfd.readouterr().out
    assert execute(["customer", "c5", "--explain", "full_nam", "--json"]) == 2
    assert "full_name" in capfd.readouterr().err
