"""Who stands on a call list since when, by which receipt, whatever interrupts an apply."""

from typing import Any

import duckdb
import pytest
import yaml
from activation_shop import AS_OF, AUDIENCE, Person, Shop, people

from activation import apply
from activation.apply import ApplySummary, apply_plan
from activation.plan import make_plan
from khach.clock import now

ENTRIES = "select customer_id, unlisted_at is null from call_list_entries order by listed_at, 1"


@pytest.fixture
def listing(bare_shop: Shop) -> Shop:
    """A list in a folder, of people who agreed to be called; their e-mails are no matter."""
    sync = next(one for one in yaml.safe_load(AUDIENCE)["syncs"] if one["id"] == "cart_file")
    sync |= {"id": "ring", "consent_channel": "phone"}
    bare_shop.audience(syncs=[sync])
    return bare_shop


def publish(shop: Shop, persons: list[Person], *, day: int = 0, **numbers: str) -> None:
    """These people with a number each, or the one given by customer id."""
    shop.publish(persons, day=day)
    with duckdb.connect(str(shop.env.current / "marts.duckdb")) as marts:
        marts.execute(
            "update customers set phone_e164 = '+84' || (912000000 + substr(customer_id, 2)::int)"
        )
        for customer_id, number in numbers.items():
            marts.execute(
                "update customers set phone_e164 = ? where customer_id = ?", [number, customer_id]
            )
        marts.execute(
            "insert into consents by name select * replace ('phone' as channel, "
            "'phone-' || consent_id as consent_id) from consents"
        )
        marts.execute(
            "insert into customer_identifiers by name select any_value(columns(ids.* exclude "
            "(customer_id, identifier_type, identifier_value))), customers.customer_id, 'phone' as "
            "identifier_type, phone_e164 as identifier_value from customer_identifiers as ids, "
            "customers group by all"
        )


def run(shop: Shop) -> ApplySummary:
    return apply_plan(shop.env, make_plan(shop.env, "ring").plan_id)


def test_an_entry_begins_and_ends_with_the_channel_s_word(listing: Shop) -> None:
    publish(listing, people(3))
    begun = now(listing.env).replace(tzinfo=None)
    run(listing)
    first = listing.state("select * from call_list_entries order by customer_id")
    assert listing.state(
        "select customer_id, sync_id, audience, action, status, unlisted_at, listed_at >= $1 "
        "from call_list_entries join sync_receipts using (receipt_id, customer_id, sync_id) "
        "order by 1", begun,
    ) == [
        (f"c000{n}", "ring", "cart_abandoners", "add", "acknowledged", None, True)
        for n in range(3)
    ]  # fmt: skip
    run(listing)
    assert listing.state("select * from call_list_entries order by customer_id") == first

    publish(listing, [*people(3)[1:], *people(4)[3:]], day=1)
    run(listing)
    assert listing.state(ENTRIES) == [
        ("c0000", False), ("c0001", True), ("c0002", True), ("c0003", True),
    ]  # fmt: skip
    publish(listing, people(4), day=2)
    run(listing)
    assert listing.state(ENTRIES)[0] == ("c0000", False), "the earlier stay remains told"
    assert listing.state("select count(*) from call_list_entries where customer_id = 'c0000'") == [
        (2,)
    ]


def test_a_new_number_is_a_new_entry(listing: Shop) -> None:
    publish(listing, people(2))
    run(listing)
    publish(listing, people(2), day=1, c0001="+84987654321")
    run(listing)
    run(listing)  # where the old number has to go first
    assert listing.state(
        "select customer_id, count(*), count(unlisted_at), count(distinct identifier_hash) "
        "from call_list_entries group by 1 order by 1"
    ) == [("c0000", 1, 0, 1), ("c0001", 2, 1, 2)]


def test_an_apply_that_died_is_told_by_the_next_plan(
    listing: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(*given: Any) -> None:
        raise Killed

    publish(listing, people(2))
    with monkeypatch.context() as patched:
        patched.setattr(apply, "record_call_list", die)
        with pytest.raises(Killed):
            run(listing)
    assert listing.state(ENTRIES) == []
    publish(listing, people(2), day=1)
    make_plan(listing.env, "ring")
    assert listing.state(ENTRIES) == [("c0000", True), ("c0001", True)]
    assert listing.state("select distinct listed_at from call_list_entries") == [(AS_OF,)]


def test_other_lists_are_no_call_lists(bare_shop: Shop) -> None:
    bare_shop.publish(people(2))
    apply_plan(bare_shop.env, make_plan(bare_shop.env, "cart_file").plan_id)
    assert bare_shop.state("select count(*) from sync_acknowledged") == [(2,)]
    assert bare_shop.state(ENTRIES) == []


def test_own_staff_are_in_the_file_and_on_no_call_list(listing: Shop) -> None:
    minh = "{name: minh, agreed_on: 2026-01-05, phone: 0912 345 678}"
    policy = f"suppression_list: null\nseeds: [{minh}]\n"
    (listing.env.config / "policy.yml").write_text(policy, encoding="utf-8")
    publish(listing, people(2))
    run(listing)
    assert listing.state("select count(*) from sync_acknowledged") == [(3,)]
    assert listing.state(ENTRIES) == [("c0000", True), ("c0001", True)]
