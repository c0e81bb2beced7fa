"""`khach why`: the one thing that keeps somebody in or out is named, with its row."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date

import duckdb
import pytest
from activation_shop import AUDIENCE, Person, Shop, people

from activation.apply import apply_plan
from activation.channels import CHANNELS
from activation.channels.base import Batch, Channel, Outcome
from activation.channels.capabilities import Capabilities
from activation.consent import PermittedRow
from activation.plan import make_plan
from activation.preview import preview
from activation.why import Why, explain
from activation.why_then import explain_at
from khach.environment import Environment
from khach.errors import ConfigError

NAME = "cart_abandoners"


def why(shop: Shop, customer_id: str = "c0009") -> Why:
    return explain(shop.env, customer_id, NAME)


def run(shop: Shop, sync_id: str = "cart_file") -> None:
    apply_plan(shop.env, make_plan(shop.env, sync_id).plan_id)


def publish(shop: Shop, *persons: Person, day: int = 0) -> None:
    shop.publish([*people(2), *persons], day=day)


def test_the_condition_that_fails_is_named_with_the_customers_own_value(bare_shop: Shop) -> None:
    publish(bare_shop, Person("c0009", "nine@example.vn", orders_since=2))
    answer = why(bare_shop)
    assert answer.sentence == (
        "c0009 is not in cart_abandoners: `orders_since_cart = 0` does not hold "
        "(orders_since_cart is 2)."
    )
    assert answer.is_in == {"cart_email": False, "cart_file": False}
    assert [(row["condition"], row["holds"]) for row in answer.rows["rule"]] == [
        ("carts_abandoned_3d > 0", True),
        ("orders_since_cart = 0", False),
        ("no test account", True),
    ]


def test_what_is_unknown_excluded_or_a_test_account_is_said(bare_shop: Shop) -> None:
    bare_shop.audience(name="vips", where="in_segment('vip')", syncs=[sync("vip_file")])
    bare_shop.audience(exclude=["vips"], where="order_count > 1 or orders_since_cart = 0")
    publish(bare_shop, Person("c0009", "nine@example.vn", orders_since=2, is_test=True))
    assert why(bare_shop).sentence.endswith(
        "`order_count > 1 OR orders_since_cart = 0` does not hold (order_count is unknown, "
        "orders_since_cart is 2) and `no test account` does not hold."
    )
    assert "`not in vips` does not hold" in why(bare_shop, "c0000").sentence
    assert why(bare_shop, "c0001").is_in == {"cart_email": True, "cart_file": True}


def sync(sync_id: str) -> dict[str, object]:
    return {
        "id": sync_id, "kind": "membership", "channel": "file_drop", "consent_channel": "email",
        "remote": {"folder": "CART_DROP_FOLDER", "format": "csv"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("person", "said"),
    [
        (
            {"consent": False},
            "they withdrew or refused marketing by email on 2026-06-29 00:00 "
            "(consent k-c0009, told by web)",
        ),
        ({"consent": None}, "nobody has asked them for marketing by email (no row in consents)"),
        ({"email": None}, "there is no e-mail address of theirs"),
        ({"email": "not an address"}, "their e-mail address is not valid"),
        ({"birth_date": "2015-01-01"}, "they are too young"),
    ],
)
def test_each_reason_in_words(bare_shop: Shop, person: dict[str, object], said: str) -> None:
    publish(bare_shop, replace(Person("c0009", "nine@example.vn"), **person))  # type: ignore[arg-type]
    answer = why(bare_shop)
    assert f"cart_file: out, {said}" in answer.sentence
    assert answer.is_in == {"cart_email": False, "cart_file": False}


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"consent": False}, "c0008, who has the same e-mail address, does not permit"),
        ({"birth_date": "2015-01-01"}, "c0008, who has the same e-mail address, is too young"),
        ({"carts": 1}, "c0008, who has the same e-mail address, carries it"),
    ],
)
def test_the_other_holder_of_an_address_is_named(
    bare_shop: Shop, other: dict[str, object], said: str
) -> None:
    first = Person("c0008", "nine@example.vn", carts=0)
    publish(bare_shop, replace(first, **other), Person("c0009", "nine@example.vn"))  # type: ignore[arg-type]
    answer = why(bare_shop)
    assert said in answer.sentence
    assert [row["customer_id"] for row in answer.rows["shared_with"]] == ["c0008"]
    assert "nine@example.vn" not in str(answer.as_dict())


def test_the_suppression_list_the_holdout_and_the_audience_that_goes_first(
    bare_shop: Shop,
) -> None:
    publish(bare_shop, Person("c0009", "nine@example.vn"))
    (bare_shop.env.config / "nobody.csv").write_text("channel,identifier\nall,nine@example.vn\n")
    policy = bare_shop.env.config / "policy.yml"
    policy.write_text("suppression_list: nobody.csv\n")
    assert "on the suppression list of policy.yml" in why(bare_shop).sentence
    policy.write_text("suppression_list: null\n")
    bare_shop.audience(name="vips", where="carts_abandoned_3d = 1", priority=1,
                       syncs=[sync("vip_file")])  # fmt: skip
    answer = why(bare_shop)
    assert "cart_file: out, vips goes first on this channel" in answer.sentence
    assert answer.is_in == {"cart_email": True, "cart_file": False}


def test_a_holdout_is_told_before_and_after_it_is_recorded(bare_shop: Shop) -> None:
    bare_shop.audience(holdout=0.999)
    publish(bare_shop, Person("c0009", "nine@example.vn"))
    assert "out, the draw holds them out" in why(bare_shop).sentence
    run(bare_shop)
    answer = why(bare_shop)
    assert "out, they are held out since 2026-06-29 00:00" in answer.sentence
    assert answer.rows["holdouts"][0]["group"] == "holdout"


def test_a_member_is_told_with_the_consent_the_guard_and_the_confirmation(
    bare_shop: Shop,
) -> None:
    publish(bare_shop, Person("c0009", "nine@example.vn"))
    assert "cart_file: in, with the consent k-c0009, not sent yet because no plan" in (
        why(bare_shop).sentence
    )
    bare_shop.audience(guards={"max_size": 1, "max_input_age_hours": 10**6})
    plan = make_plan(bare_shop.env, "cart_file")
    assert f"not sent yet because the plan {plan.plan_id} is held by max_size" in (
        why(bare_shop).sentence
    )
    apply_plan(bare_shop.env, plan.plan_id, accept=["max_size"])
    answer = why(bare_shop)
    assert "cart_file: in, with the consent k-c0009, confirmed by the channel on" in (
        answer.sentence
    )
    assert [row["consent_id"] for row in answer.rows["consents"]] == ["k-c0009"]
    assert answer.rows["plans"][0]["accepted_by"].endswith("max_size")


def test_an_earlier_day_is_answered_from_what_was_recorded(bare_shop: Shop) -> None:
    """The business day of Viet Nam: the snapshots end at midnight there, 17:00 UTC."""
    person = Person("c0009", "nine@example.vn")
    publish(bare_shop, person)
    run(bare_shop)
    publish(bare_shop, replace(person, consent=False), day=2)
    run(bare_shop)
    publish(bare_shop, replace(person, carts=0), day=3)
    run(bare_shop)

    def then(day: int, month: int = 6) -> str:
        answer = explain_at(bare_shop.env, "c0009", NAME, date(2026, month, day))
        return answer.sentence.split("cart_email", 1)[1].split("; ")[1]

    assert then(27) == "cart_file out: no plan of it had been carried out by then."
    assert then(28) == "cart_file in since 2026-06-29 00:00."
    assert then(29) == "cart_file in since 2026-06-29 00:00."
    assert then(30) == "cart_file out: the consent was withdrawn since 2026-07-01 00:00."
    assert then(1, 7) == "cart_file out: the rule did not mean them (no interval of membership)."


def test_the_past_of_a_merged_customer_is_found_under_the_old_id(bare_shop: Shop) -> None:
    publish(bare_shop, Person("c0009", "nine@example.vn"))
    run(bare_shop)
    publish(bare_shop, day=1)
    marts = bare_shop.env.current / "marts.duckdb"
    with duckdb.connect(str(marts)) as connection:
        connection.execute("insert into customer_survivors values ('c0009', 'c0000')")
    answer = explain_at(bare_shop.env, "c0000", NAME, date(2026, 6, 29))
    assert {row["customer_id"] for row in answer.rows["intervals"]} == {"c0000", "c0009"}


@pytest.mark.parametrize(
    ("change", "because"),
    [({"carts": 0}, "the plan PLAN is held by max_removal_share"),
     ({"consent": False}, "no plan without them has been carried out")],
    ids=str,
)  # fmt: skip
def test_who_is_out_but_not_removed_yet_is_told_with_the_guard(
    bare_shop: Shop, change: dict[str, object], because: str
) -> None:
    person = Person("c0009", "nine@example.vn")
    bare_shop.publish([person])
    run(bare_shop)
    bare_shop.publish([replace(person, **change)])  # type: ignore[arg-type]
    still = "yet still in the list because"
    assert f"{still} no plan without them has been carried out" in why(bare_shop).sentence
    plan = make_plan(bare_shop.env, "cart_file")
    answer = why(bare_shop)
    assert f"{still} {because.replace('PLAN', plan.plan_id)}" in answer.sentence
    assert answer.sentence.count(still) == 1
    assert not any(answer.is_in.values())
    assert "acknowledged" in answer.rows


def test_an_unknown_audience_is_a_mistake(bare_shop: Shop) -> None:
    publish(bare_shop)
    with pytest.raises(ConfigError, match="no audience 'cart_abandonners'"):
        explain(bare_shop.env, "c0000", "cart_abandonners")


def test_no_sync_is_blamed_for_what_another_does(bare_shop: Shop) -> None:
    bare_shop.audience(AUDIENCE.replace("consent_channel: email", "consent_channel: sms"))
    publish(bare_shop, Person("c0009", "nine@example.vn"))
    answer = why(bare_shop)
    assert answer.is_in == {"cart_email": True, "cart_file": False}
    assert "cart_file: out, nobody has asked them for marketing by sms" in answer.sentence


class Pager(Channel):
    """A channel of messages that takes whatever it is given."""

    capabilities = Capabilities(
        consent_channel="email", remote={}, field_name=re.compile("body"), batch_size=10,
        remote_id_sql="identifier_hash", kinds=frozenset({"message"}),
    )  # fmt: skip

    def __init__(self, env: Environment, remote: Mapping[str, str]) -> None:
        pass

    def send(self, batch: Batch[PermittedRow]) -> list[Outcome]:
        return [Outcome("acknowledged")] * len(batch.rows)


def test_a_message_is_told_as_due_and_then_with_what_became_of_it(
    bare_shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CHANNELS, "pager", Pager)
    page = {
        "id": "page", "kind": "message", "channel": "pager", "remote": {}, "cadence": "hourly",
        "on_enter": {"cool_down_days": 14, "valid_for_hours": 72}, "fields": {"body": "Chào!"},
    }  # fmt: skip
    bare_shop.audience(syncs=[page])
    publish(bare_shop, Person("c0009", "nine@example.vn"))
    began = "page: in, with the consent k-c0009, since 2026-06-29 00:00; "
    assert f"{began}one is due and goes out with the next plan" in why(bare_shop).sentence
    run(bare_shop, "page")
    assert "one is due and goes out with the next plan (last tried: dropped, expired)" in (
        why(bare_shop).sentence
    )
    bare_shop.env.sandbox.mkdir()
    clock = bare_shop.env.sandbox / "clock.json"
    clock.write_text('{"now": "2026-06-28T19:00:00Z"}')
    run(bare_shop, "page")
    answer = why(bare_shop)
    assert f"{began}their last message, of " in answer.sentence
    assert answer.sentence.endswith(
        "is accepted; none is due now (once per entry, 14 days of rest, 72 hours after it)."
    )
    assert [row["status"] for row in answer.rows["messages"]] == ["accepted"]
    shown = preview(bare_shop.env, NAME)
    assert shown.contacts.would_add == {"page": 0.5}
