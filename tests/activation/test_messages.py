"""Messages: one per entry, within hours and caps, never twice, never to who must not be told."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from activation_shop import AUDIENCE, Person, Shop, people
from faulty_channels import VARIANTS, Platform
from one_life import Killed
from world import World

from activation.apply import ApplySummary, apply_plan
from activation.channels import CHANNELS
from activation.channels.base import BatchRejectedError, Outcome
from activation.plan import make_plan
from activation.recovery import settle
from khach.backup import make_backup, restore_backup
from khach.errors import BusyError, ConfigError, GateError
from khach.operations import publish_operations

Worlds = Callable[..., World]
LOOSE = {"max_removal_share": 1.0, "max_change_share": 9.0, "max_input_age_hours": 10**6}


def a_world(worlds: Worlds, variant: str = "careless", count: int = 3, **given: Any) -> World:
    entry = {"cool_down_days": 14, "valid_for_hours": 72} | given.pop("on_enter", {})
    world = worlds(variant, guards=LOOSE, on_enter=entry, **given)
    world.persons = {p.customer_id: p for p in people(count)}
    world.publish()
    return world


def send(world: World, sync: str = "the_sync") -> ApplySummary:
    return apply_plan(world.env, make_plan(world.env, sync).plan_id)


def die(world: World, boundaries: int) -> None:
    """One process that plans, sends and dies."""
    world.lives.die_after(boundaries)
    with pytest.raises(Killed):
        send(world)
    world.lives.begin()


def told(world: World) -> list[str]:
    return sorted(delivery.customer_id for delivery in world.platform.deliveries)


def come_back(world: World, hours: float) -> None:
    """c0000 leaves the audience and comes back this much later."""
    first = world.persons["c0000"]
    world.persons["c0000"] = replace(first, carts=0)
    world.wait(1)
    world.publish()
    send(world)
    world.persons["c0000"] = first
    world.wait(hours)
    world.publish()


def test_an_entry_is_told_once(worlds: Worlds) -> None:
    world = a_world(worlds)
    assert send(world).receipts == {"acknowledged": 3}
    for _ in range(3):
        world.wait(24)
        world.publish()
        assert send(world).receipts == {}
    assert told(world) == ["c0000", "c0001", "c0002"]


def test_a_new_entry_is_told_when_it_has_cooled_down_and_not_before(worlds: Worlds) -> None:
    world = a_world(worlds)
    send(world)
    come_back(world, 24)
    assert send(world).receipts == {}
    come_back(world, 14 * 24)
    assert send(world).receipts == {"acknowledged": 1}
    assert told(world).count("c0000") == 2


def test_an_entry_is_told_no_more_when_its_time_is_over(worlds: Worlds) -> None:
    world = a_world(worlds, on_enter={"valid_for_hours": 10})
    plan = make_plan(world.env, "the_sync")
    world.wait(8)  # entered two hours before: as of the snapshot
    assert apply_plan(world.env, plan.plan_id).receipts == {"dropped": 3}
    assert world.state("select distinct vendor_code from sync_receipts") == [("expired",)]
    world.wait(16)
    world.publish()
    assert make_plan(world.env, "the_sync").add_count == 0
    assert told(world) == []


def test_at_night_a_message_waits_for_the_morning(worlds: Worlds) -> None:
    world = a_world(worlds)
    world.wait(13)  # ten at night in Ha Noi
    assert send(world).receipts == {"deferred": 3}
    opening = world.clock.replace(hour=1) + timedelta(days=1)  # eight the next morning
    assert world.state("select distinct vendor_code, not_before from sync_receipts") == [
        ("quiet_hours", opening)
    ]
    world.wait(10)
    assert send(world).receipts == {"acknowledged": 3}


def test_caps_count_what_every_sync_sent_and_say_when_there_is_room_again(worlds: Worlds) -> None:
    cap = {"channels": ["email"], "at_most": 1, "per_hours": 6}
    world = a_world(worlds, sync_ids=("the_sync", "other_sync"), policy={"caps": [cap]})
    sent_at = world.clock
    assert send(world).receipts == {"acknowledged": 3}
    world.wait(1)
    assert send(world, "other_sync").receipts == {"deferred": 3}
    assert world.state(
        "select distinct vendor_code, not_before from sync_receipts where status = 'deferred'"
    ) == [("frequency_cap", sent_at + timedelta(hours=6))]
    world.wait(5)
    assert send(world, "other_sync").receipts == {"acknowledged": 3}


def test_a_cap_of_none_lets_nothing_out(worlds: Worlds) -> None:
    world = a_world(worlds, policy={"caps": [{"channels": ["email"], "at_most": 0}]})
    assert send(world).receipts == {"deferred": 3}
    assert told(world) == []


@pytest.mark.parametrize("order", [1, -1])
def test_of_several_caps_the_one_that_holds_longest_counts(worlds: Worlds, order: int) -> None:
    none = {"channels": ["email"], "at_most": 0, "per_hours": 2}
    one = {"channels": ["email"], "at_most": 1, "per_hours": 6}
    world = a_world(worlds, sync_ids=("the_sync", "other_sync"))
    sent_at = world.clock
    send(world)
    world.wait(1)
    world.policy = {"caps": [none, one][::order]}
    world.write_policy()
    assert send(world, "other_sync").receipts == {"deferred": 3}
    held = world.state("select distinct not_before from sync_receipts where status = 'deferred'")
    assert held == [(sent_at + timedelta(hours=6),)]


def test_who_comes_on_the_suppression_list_after_the_plan_is_dropped(worlds: Worlds) -> None:
    world = a_world(worlds)
    plan = make_plan(world.env, "the_sync")
    world.suppressed = {"person0001@example.vn"}
    world.write_suppressions()
    assert apply_plan(world.env, plan.plan_id).receipts == {"acknowledged": 2, "dropped": 1}
    assert told(world) == ["c0000", "c0002"]


def test_one_of_those_who_share_an_address_is_told(worlds: Worlds) -> None:
    world = a_world(worlds)
    shared = world.persons["c0000"].email
    world.persons["c0001"] = replace(world.persons["c0001"], email=shared)
    world.publish()
    plan = make_plan(world.env, "the_sync")
    assert plan.reasons == {"duplicate_identifier": 1}
    apply_plan(world.env, plan.plan_id)
    assert told(world) == ["c0000", "c0002"]
    world.persons["c0000"] = replace(world.persons["c0000"], carts=0)
    world.wait(24)
    world.publish()
    assert send(world).receipts == {}  # the other one's turn, but the address has had it


@pytest.mark.parametrize("cool_down", [0, 14])
def test_a_merge_sends_nothing_again(worlds: Worlds, cool_down: int) -> None:
    world = a_world(worlds, on_enter={"cool_down_days": cool_down, "valid_for_hours": 5000})
    send(world)
    world.merge("c0000", "c0001")
    world.persons["c0009"] = world.persons.pop("c0002")
    world.persons["c0009"] = replace(world.persons["c0009"], customer_id="c0009")
    world.merged |= {"c0002": "c0009"}
    world.wait(24)
    world.publish()
    assert send(world).receipts == {}
    assert told(world) == ["c0000", "c0001", "c0002"]


def test_an_interrupted_message_is_unknown_and_not_sent_again_by_itself(worlds: Worlds) -> None:
    for boundaries in (6, 7, 8, 9, 10):
        world = a_world(worlds)
        die(world, boundaries)
        intents = world.state("select count(*) from sync_intents")[0][0]
        found = settle(world.env)
        assert [one.unknown_count for one in found if intents] == [3] * bool(intents)
        rest = send(world).receipts
        assert rest == ({} if intents else {"acknowledged": 3})
        assert len(set(told(world))) == len(told(world))
        assert world.state("select count(*) from sync_intents") == [(0,)]


def test_an_interrupted_idempotent_batch_is_repeated_under_its_own_id(worlds: Worlds) -> None:
    world = a_world(worlds, "idempotent")
    die(world, 8)
    names = world.state("select distinct batch_id from sync_intents")
    before = set(world.platform.batches)
    world.platform.faults.append("silent")
    with pytest.raises(BusyError):
        settle(world.env)
    assert world.state("select distinct batch_id from sync_intents") == names
    assert [one.acknowledged_count for one in settle(world.env)] == [3]
    assert {name for (name,) in names} == before | set(world.platform.batches)
    assert send(world).receipts == {}
    assert told(world) == ["c0000", "c0001", "c0002"]


@pytest.mark.parametrize(("valid_for", "is_repeated"), [(72, False), (2000, True)])
def test_an_interrupted_batch_is_not_repeated_when_its_time_is_over(
    worlds: Worlds, valid_for: float, *, is_repeated: bool
) -> None:
    world = a_world(worlds, "idempotent", on_enter={"valid_for_hours": valid_for})
    die(world, 6)
    reached = len(told(world))
    assert reached < 3
    world.wait(100)
    world.to_the_morning()
    counts = [(one.acknowledged_count, one.unknown_count) for one in settle(world.env)]
    assert counts == [(3, 0) if is_repeated else (0, 3)]
    assert len(told(world)) == (3 if is_repeated else reached)


@pytest.mark.parametrize(("hours", "is_repeated"), [(23, True), (25, False)])
def test_an_interrupted_batch_is_not_repeated_when_the_platform_has_forgotten_it(
    worlds: Worlds, monkeypatch: pytest.MonkeyPatch, hours: int, *, is_repeated: bool
) -> None:
    world = a_world(worlds, "idempotent")
    able = replace(world.channel.capabilities, remembers_for=timedelta(hours=24))
    monkeypatch.setattr(world.channel, "capabilities", able)
    die(world, 8)
    world.state(f"update sync_intents set opened_at = opened_at - interval {hours} hours")
    counts = [(one.acknowledged_count, one.unknown_count) for one in settle(world.env)]
    assert counts == [(3, 0) if is_repeated else (0, 3)]
    assert told(world) == ["c0000", "c0001", "c0002"]


def test_an_interrupted_batch_is_not_repeated_to_who_withdrew_since(worlds: Worlds) -> None:
    world = a_world(worlds, "idempotent")
    die(world, 6)
    assert world.state("select count(*) from sync_intents") == [(3,)]
    world.persons["c0001"] = replace(world.persons["c0001"], consent=False)
    world.publish()
    assert [one.unknown_count for one in settle(world.env)] == [3]
    send(world)
    assert "c0001" not in told(world)


def test_a_rejected_batch_is_halved_and_each_part_has_its_own_id(worlds: Worlds) -> None:
    world = a_world(worlds, "idempotent", 4)
    world.platform.refused = {"person0002@example.vn"}
    assert send(world).receipts == {"acknowledged": 3, "rejected": 1}
    assert told(world) == ["c0000", "c0001", "c0003"]
    sizes = sorted(len(rows) for rows in world.platform.batches.values())
    assert sizes == [1, 1, 2, 2, 4]


def test_what_the_platform_could_not_deliver_ends_its_entry_and_cools_nobody_down(
    worlds: Worlds,
) -> None:
    world = a_world(worlds, "reporting", 1)
    send(world)
    world.platform.finish_jobs("failed")
    world.wait(5)
    assert send(world).receipts == {}, "a phone that is off costs once, not every hour"
    assert world.state("select status from messages") == [("failed",)]
    # Who comes back has a new entry, and the cool-down does not count what never arrived.
    world.persons["c0000"] = replace(world.persons["c0000"], carts=0)
    world.wait(1)
    world.publish()
    send(world)
    world.persons["c0000"] = replace(world.persons["c0000"], carts=1)
    world.wait(1)
    world.publish()
    assert send(world).receipts == {"acknowledged": 1}


def test_a_question_that_the_platform_refuses_is_nobody_else_s_end(
    worlds: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = a_world(worlds, "reporting")
    send(world)
    for handle in world.platform.jobs:
        world.platform.finished[handle] = Outcome("delivered")
    poll = world.channel.poll

    def refusing(channel: Any, handles: Sequence[str]) -> list[Outcome]:
        if any(customer_of(world, handle) == "c0001" for handle in handles):
            raise BatchRejectedError("400", "no such message")
        return poll(channel, handles)

    monkeypatch.setattr(world.channel, "poll", refusing)
    make_plan(world.env, "the_sync")
    statuses = world.state("select customer_id, status from messages order by 1")
    assert statuses == [("c0000", "delivered"), ("c0001", "unknown"), ("c0002", "delivered")]


def customer_of(world: World, handle: str) -> str:
    """The customer whom a message of this handle was for."""
    rows = {one.row_id: one.customer_id for one in world.platform.deliveries}
    return next(rows[row_id] for row_id in rows if row_id in handle)


def test_texts_are_filled_in_with_fallbacks_and_braces(worlds: Worlds) -> None:
    world = a_world(
        worlds, count=2, body="{{{last_cart_item|your cart}}} awaits, {salutation_name}"
    )
    world.persons["c0000"] = replace(world.persons["c0000"], item="")
    world.publish()
    send(world)
    texts = {delivery.customer_id: delivery.text for delivery in world.platform.deliveries}
    assert texts == {
        "c0000": "{your cart} awaits, bạn",
        "c0001": "{Giày Khách 1} awaits, bạn",
    }
    world.body = "{last_cart_item} awaits"
    world.write_audience()
    with pytest.raises(ConfigError, match="may be empty"):
        make_plan(world.env, "the_sync")


def test_an_offer_code_is_one_person_s_and_stays_until_it_expires(worlds: Worlds) -> None:
    world = a_world(
        worlds, offer={"prefix": "GIO", "valid_days": 3}, body="{offer_code}",
        on_enter={"cool_down_days": 1},
    )  # fmt: skip
    send(world)
    first = {delivery.customer_id: delivery.text for delivery in world.platform.deliveries}
    assert len(set(first.values())) == 3 and all(code.startswith("GIO-") for code in first.values())
    kept = world.state("select customer_id, offer_code, valid_until - valid_from from offer_codes")
    assert {row[0]: row[1] for row in kept} == first
    assert {row[2] for row in kept} == {timedelta(days=3)}
    come_back(world, 26)
    send(world)
    assert [d.text for d in world.platform.deliveries if d.customer_id == "c0000"] == (
        [first["c0000"]] * 2
    )
    come_back(world, 96)
    send(world)
    latest = world.platform.deliveries[-1]
    assert latest.customer_id == "c0000" and latest.text != first["c0000"]


def test_only_who_is_told_a_code_is_given_one(worlds: Worlds) -> None:
    world = a_world(worlds, offer={"prefix": "GIO", "valid_days": 3})
    path = world.env.config / "audiences" / "carts.yml"
    content = json.loads(path.read_text(encoding="utf-8"))
    [silent] = content["syncs"]
    telling = silent | {"id": "telling", "fields": {"body": "{offer_code}"}}
    path.write_text(json.dumps(content | {"syncs": [silent, telling]}), encoding="utf-8")
    send(world)
    assert world.state("select count(*) from offer_codes") == [(0,)]
    send(world, "telling")
    assert world.state("select count(*) from offer_codes") == [(3,)]
    assert world.state(
        "select distinct sync_id from sync_plan_rows join sync_plans using (plan_id) "
        "where offer_code is not null"
    ) == [("telling",)]


def test_an_advertising_text_has_its_label_and_its_way_out(worlds: Worlds) -> None:
    rule = {"label": "[QC] ", "opt_out": " Từ chối: soạn TC"}
    world = a_world(worlds, count=1, body="Sale", policy={"advertising": {"email": rule}})
    send(world)
    assert [delivery.text for delivery in world.platform.deliveries] == [
        "[QC] Sale Từ chối: soạn TC"
    ]
    world.policy["advertising"]["email"] = rule | {"when_missing": "refuse"}
    world.write_policy()
    with pytest.raises(ConfigError, match="begins with its label"):
        make_plan(world.env, "the_sync")


@pytest.fixture
def sending_shop(bare_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A shop of real files whose one sync sends messages through a careless platform."""
    kind = VARIANTS["careless"]
    kind.platform = Platform()
    monkeypatch.setitem(CHANNELS, "careless", kind)
    sync = {
        "id": "cart_text", "kind": "message", "channel": "careless", "consent_channel": "email",
        "remote": {}, "fields": {"body": "Hello"},
        "on_enter": {"cool_down_days": 14, "valid_for_hours": 5000},
    }  # fmt: skip
    bare_shop.audience(AUDIENCE, syncs=[sync], guards=LOOSE)
    bare_shop.publish(people(2))
    return bare_shop


@pytest.mark.parametrize("way", ["backup", "file"])
def test_a_state_that_was_put_back_sends_nothing_until_a_person_says_so(
    sending_shop: Shop, way: str
) -> None:
    shop, platform = sending_shop, VARIANTS["careless"].platform
    kept = shop.env.home / "state.copy"
    shop.state("select 1")
    shutil.copyfile(shop.env.state, kept)
    backup = make_backup(shop.env)
    apply_plan(shop.env, make_plan(shop.env, "cart_text").plan_id)
    publish_operations(shop.env)
    assert len(platform.deliveries) == 2
    if way == "backup":
        restore_backup(shop.env, backup.file)
    else:
        shutil.copyfile(kept, shop.env.state)
    plan = make_plan(shop.env, "cart_text")
    assert plan.blocked_by == "stale_input"
    with pytest.raises(GateError, match="put back from an older copy"):
        apply_plan(shop.env, plan.plan_id)
    assert len(platform.deliveries) == 2


def test_nothing_is_sent_twice_in_real_files(sending_shop: Shop) -> None:
    for _ in range(2):
        apply_plan(sending_shop.env, make_plan(sending_shop.env, "cart_text").plan_id)
    assert len(VARIANTS["careless"].platform.deliveries) == 2
    kept = sending_shop.env.state.read_bytes()
    assert b"person0000" not in kept and b"Hello" not in kept


def test_only_who_is_a_person_of_the_shop_is_a_candidate(worlds: Worlds) -> None:
    world = a_world(worlds, count=1)
    world.persons["c1"] = Person("c1", "nobody", consent=True)
    world.publish()
    assert make_plan(world.env, "the_sync").reasons == {"invalid_identifier": 1}
