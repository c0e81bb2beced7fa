"""Plan and apply against the stateful e-mail platform."""

import dataclasses
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from activation_shop import AUDIENCE, Person, Shop, people

from activation import apply, consent, evaluation
from activation.apply import apply_plan
from activation.channels import http
from activation.channels.base import Batch
from activation.channels.http import Retries
from activation.channels.mailchimp import Mailchimp
from activation.plan import make_plan, plan_row
from khach.errors import ConfigError, GateError, KhachError


def run(shop: Shop, *accept: str, sync: str = "cart_email") -> apply.ApplySummary:
    return apply_plan(shop.env, make_plan(shop.env, sync).plan_id, accept)


def test_members_arrive_with_their_fields_and_a_receipt_each(shop: Shop) -> None:
    shop.publish(people(5))
    summary = run(shop)
    assert summary.status == "applied"
    assert summary.receipts == {"acknowledged": 5}
    assert len(shop.members()) == 5
    assert all('"LASTITEM": "Giày Khách 1"' in fields for _, _, fields in shop.members())
    assert len(set(shop.effects("member_created"))) == 5


def test_applying_again_sends_nothing(shop: Shop) -> None:
    shop.publish(people(5))
    run(shop)
    requests = len(shop.remote("select seq from requests"))
    plan = make_plan(shop.env, "cart_email")
    assert (plan.unchanged_count, plan.change_count) == (5, 0)
    apply_plan(shop.env, plan.plan_id)
    assert len(shop.remote("select seq from requests")) == requests


def test_a_changed_field_is_an_update_that_names_it(shop: Shop) -> None:
    persons = people(3)
    shop.publish(persons)
    run(shop)
    shop.publish([dataclasses.replace(persons[0], item="Dép 2"), *persons[1:]])
    plan = make_plan(shop.env, "cart_email")
    assert (plan.update_count, plan.unchanged_count) == (1, 2)
    changed = shop.state(
        "select changed_fields from sync_plan_rows where plan_id = ?", plan.plan_id
    )
    assert changed == [(["LASTITEM"],)]
    apply_plan(shop.env, plan.plan_id)
    assert sum("Dép 2" in fields for _, _, fields in shop.members()) == 1
    assert len(shop.effects("tag_added")) == 3


def test_another_tag_is_another_place_for_everybody(shop: Shop) -> None:
    shop.publish(people(3))
    run(shop)
    shop.audience(AUDIENCE.replace("tag: cart-abandoner", "tag: left-a-cart"))
    plan = make_plan(shop.env, "cart_email")
    assert (plan.add_count, plan.update_count, plan.remove_count) == (0, 3, 0)
    changed = shop.state(
        "select distinct changed_fields from sync_plan_rows where plan_id = ?", plan.plan_id
    )
    assert changed == [(["_remote"],)]
    assert plan.blocked_by == "changed_remote"
    with pytest.raises(GateError, match="3 members of this sync"):
        apply_plan(shop.env, plan.plan_id)
    apply_plan(shop.env, plan.plan_id, ["changed_remote"])
    plan = make_plan(shop.env, "cart_email")
    assert (plan.change_count, plan.is_blocked) == (0, False)


def test_a_changed_remote_that_is_put_back_still_loses_who_withdrew(shop: Shop) -> None:
    persons = people(3)
    shop.publish(persons)
    run(shop)
    shop.audience(AUDIENCE.replace("tag: cart-abandoner", "tag: left-a-cart"))
    shop.publish([dataclasses.replace(persons[0], consent=False), *persons[1:]])
    assert make_plan(shop.env, "cart_email").is_blocked
    shop.audience()
    run(shop)
    assert len(shop.addresses()) == 2


def test_leaving_removes_the_tag_of_members_we_added_only(shop: Shop) -> None:
    persons = people(4)
    shop.publish(persons[:3])
    run(shop)
    shop.remote(
        "insert into members (list_id, member_id, email_address, status, last_changed) "
        "values ($list, 'other', 'other@example.vn', 'subscribed', '2026')"
    )
    shop.remote(
        "insert into member_tags select $list, 'other', tag_id, '2026' from tags "
        "where list_id = $list"
    )
    shop.publish([dataclasses.replace(persons[0], orders_since=1), *persons[1:]])
    summary = run(shop)
    assert summary.receipts == {"acknowledged": 2}
    expected = {"person0001@example.vn", "person0002@example.vn", "person0003@example.vn"}
    assert shop.addresses() == {*expected, "other@example.vn"}
    assert len(shop.remote("select 1 from members where list_id = $list")) == 5


def test_a_changed_address_leaves_under_the_old_one_and_enters_under_the_new(shop: Shop) -> None:
    persons = people(3)
    shop.publish(persons)
    run(shop)
    shop.publish([dataclasses.replace(persons[0], email="new@example.vn"), *persons[1:]])
    plan = make_plan(shop.env, "cart_email")
    assert (plan.add_count, plan.remove_count, plan.unchanged_count) == (1, 1, 2)
    apply_plan(shop.env, plan.plan_id)
    assert shop.addresses() == {"new@example.vn", "person0001@example.vn", "person0002@example.vn"}


def test_a_merge_of_customers_keeps_the_member(shop: Shop) -> None:
    shop.publish(people(2))
    run(shop)
    shop.publish([Person("c9999", "person0000@example.vn"), people(2)[1]])
    plan = make_plan(shop.env, "cart_email")
    assert (plan.add_count, plan.remove_count, plan.update_count) == (0, 0, 1)
    apply_plan(shop.env, plan.plan_id)
    assert len(shop.effects("tag_added")) == 2
    assert shop.effects("tag_removed") == []
    held = shop.state("select customer_id from sync_acknowledged order by 1")
    assert held == [("c0001",), ("c9999",)]


def test_who_unsubscribed_at_the_platform_is_never_resubscribed(shop: Shop) -> None:
    shop.publish(people(2))
    run(shop)
    shop.remote(
        "update members set status = 'unsubscribed', is_refused = 1 where list_id = $list "
        "and email_address = 'person0000@example.vn'"
    )
    shop.publish([dataclasses.replace(person, item="Dép 2") for person in people(2)])
    summary = run(shop)
    assert (summary.status, summary.receipts) == (
        "partly_applied", {"acknowledged": 1, "dropped": 1},
    )  # fmt: skip
    statuses = {address: status for address, status, _ in shop.members()}
    assert statuses["person0000@example.vn"] == "unsubscribed"


def test_a_rejected_row_stands_alone_and_its_receipt_masks_the_address(shop: Shop) -> None:
    shop.publish([*people(3), Person("c9", f"{'x' * 70}@example.vn")])
    summary = run(shop)
    assert summary.receipts == {"acknowledged": 3, "rejected": 1}
    assert len(shop.members()) == 3
    message, code = shop.state(
        "select vendor_message, vendor_code from sync_receipts where status = 'rejected'"
    )[0]
    assert code == "400" and "@" not in message and message
    assert make_plan(shop.env, "cart_email").add_count == 1


def test_a_row_that_always_meets_a_fault_holds_up_no_other(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.publish(people(3))
    first, *others = sorted(
        (str(person.email) for person in people(3)), key=lambda one: sha256(one.encode()).digest()
    )
    bad = store_hash(first)
    monkeypatch.setattr(http, "Retries", lambda: Retries(attempts=2, first_pause=0.01))
    send = http.requests.Session.request

    def faulty(session: Any, method: str, url: str, **rest: Any) -> Any:
        answer = send(session, method, url, **rest)
        if bad in url:
            answer.status_code = 500
        return answer

    monkeypatch.setattr(http.requests.Session, "request", faulty)
    one_by_one = dataclasses.replace(Mailchimp.capabilities, batch_size=1)
    monkeypatch.setattr(Mailchimp, "capabilities", one_by_one)
    for _ in range(2):
        summary = run(shop)
        assert summary.status == "partly_applied" and summary.receipts["unknown"] == 1
    assert summary.receipts == {"unknown": 1}
    assert set(others) <= shop.addresses()


def test_names_that_the_platform_repeats_are_masked(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = Mailchimp(shop.env, {"list": shop.list_id, "tag": "t"})
    words = {"detail": "CHỊ LAN looks fake", "errors": [{"message": "GREETING: Vy, Vyy"}]}
    monkeypatch.setattr(channel._client, "call", lambda *_asked, **_more: (400, words))
    row = consent.permit(
        consent.Consent("k", "c1", "email", "marketing", True), customer_id="c1", channel="email",
        purpose="marketing", identifier="lan@example.vn", remote_id="m",
        fields={"GREETING": "Chị Lan", "FNAME": "Vy"},
    )  # fmt: skip
    (outcome,) = channel.upsert(Batch("b", "p", "s", [row]))
    assert outcome.message == "<value> looks fake GREETING: <value>, Vyy"


def test_a_withdrawal_is_carried_to_contacts_we_did_not_add_even_when_blocked(shop: Shop) -> None:
    shop.publish(people(3))
    run(shop)
    shop.remote(
        "insert into members (list_id, member_id, email_address, status, last_changed) values "
        "($list, '" + store_hash("till@example.vn") + "', 'till@example.vn', 'subscribed', '2026')"
    )
    shop.publish([Person("c77", "till@example.vn", consent=False, carts=0)])
    plan = make_plan(shop.env, "cart_email")
    assert plan.is_blocked
    with pytest.raises(GateError):
        apply_plan(shop.env, plan.plan_id)
    assert shop.remote(
        "select status from members where list_id = $list and email_address = 'till@example.vn'"
    ) == [("unsubscribed",)]
    assert shop.state("select action, status, plan_id from sync_receipts where vendor_code = "
                      "'unsubscribed'") == [("suppress", "acknowledged", None)]  # fmt: skip
    assert len(shop.addresses()) == 3


def test_each_withdrawal_is_asked_once(shop: Shop) -> None:
    shop.publish([*people(2), Person("c77", "gone@example.vn", consent=False)])
    run(shop)
    count = "select count(*) from requests where path like '%' || $list || '%'"
    before = shop.remote(count)
    run(shop)
    assert shop.remote(count) == before


def test_nothing_is_added_when_the_consent_function_is_gone(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def removed(*args: object, **kwargs: object) -> None:
        raise consent.NotPermittedError("gone")

    monkeypatch.setattr(evaluation, "permit", removed)
    shop.publish(people(3))
    for sync in ("cart_email", "cart_file"):
        with pytest.raises(consent.NotPermittedError):
            run(shop, sync=sync)
    assert shop.members() == set()
    assert not Path(shop.variables["CART_DROP_FOLDER"]).exists()


def test_a_plan_is_refused_when_its_inputs_moved(shop: Shop) -> None:
    shop.publish(people(2))
    plan = make_plan(shop.env, "cart_email")
    shop.publish(people(3))
    with pytest.raises(KhachError, match="inputs have moved"):
        apply_plan(shop.env, plan.plan_id)
    assert shop.members() == set()


def test_an_applied_plan_cannot_be_applied_again(shop: Shop) -> None:
    shop.publish(people(2))
    plan = make_plan(shop.env, "cart_email")
    apply_plan(shop.env, plan.plan_id)
    with pytest.raises(KhachError, match="is applied"):
        apply_plan(shop.env, plan.plan_id)


def test_a_person_releases_a_plan_by_naming_its_guards_and_that_is_recorded(shop: Shop) -> None:
    shop.publish(people(4))
    run(shop)
    shop.publish(people(1))
    plan = make_plan(shop.env, "cart_email")
    assert plan.blocked_by == "max_removal_share"
    with pytest.raises(ConfigError, match="no guard"):
        apply_plan(shop.env, plan.plan_id, ["max_removal_shares"])
    with pytest.raises(GateError, match="75% of the members"):
        apply_plan(shop.env, plan.plan_id, ["max_size"])
    assert apply_plan(shop.env, plan.plan_id, ["max_removal_share"]).status == "applied"
    assert shop.addresses() == {"person0000@example.vn"}
    recorded = shop.state("select accepted_by from sync_plans where plan_id = ?", plan.plan_id)
    assert recorded[0][0].endswith(": max_removal_share")


def test_a_payload_is_shown_to_a_person_and_kept_nowhere(shop: Shop) -> None:
    shop.publish(people(2))
    plan = make_plan(shop.env, "cart_email")
    shown = plan_row(shop.env, plan.plan_id, 1)
    assert shown["identifier"].endswith("@example.vn")
    assert shown["fields"] == {"GREETING": "chị Lan", "LASTITEM": "Giày Khách 1"}
    apply_plan(shop.env, plan.plan_id)
    kept = shop.env.state.read_bytes()
    for secret in ("person0000", "example.vn", "chị Lan", "Giày Khách"):
        assert secret.encode() not in kept


def test_outside_prod_only_loopback_is_called(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.publish(people(1))
    plan = make_plan(shop.env, "cart_email")
    monkeypatch.setenv("MAILCHIMP_API_URL", "https://us1.api.mailchimp.com/3.0")
    with pytest.raises(ConfigError, match="no loopback address"):
        apply_plan(shop.env, plan.plan_id)


def store_hash(address: str) -> str:
    from sandbox.mailchimp.store import subscriber_hash

    return subscriber_hash(address)
