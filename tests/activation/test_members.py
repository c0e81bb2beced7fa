"""Memberships against platforms that fail: what any history found once, each told alone."""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from activation_shop import people
from faulty_channels import Member
from one_life import Killed
from world import World, sha256

from activation.apply import ApplySummary, apply_plan
from activation.plan import make_plan
from activation.withdrawals import carry_withdrawals
from khach.errors import BusyError, KhachError
from orchestration import stages

Worlds = Callable[..., World]


def a_world(worlds: Worlds, variant: str, holdout: float = 0.0) -> World:
    """Three members are in the list already."""
    guards = {"max_removal_share": 1.0, "max_change_share": 9.0}
    world = worlds(variant, guards=guards, on_enter={}, holdout=holdout)
    world.persons = {p.customer_id: p for p in people(3)}
    world.publish()
    run(world)
    return world


def run(world: World) -> ApplySummary:
    return apply_plan(world.env, make_plan(world.env, "the_sync").plan_id)


def change(world: World, customer_id: str, **values: object) -> None:
    world.persons[customer_id] = replace(world.persons[customer_id], **values)
    world.wait(1)
    world.publish()


def dies(world: World, boundaries: int) -> None:
    world.lives.die_after(boundaries)
    with pytest.raises(Killed):
        run(world)
    world.lives.begin()


def back_after_an_interrupted_removal(worlds: Worlds, variant: str, boundaries: int) -> World:
    """One who left, in a run that may have died at a boundary, is a member again."""
    world = a_world(worlds, variant)
    change(world, "c0000", carts=0)
    world.lives.die_after(boundaries)
    try:
        run(world)
    except Killed:
        world.lives.begin()
    world.lives.die_after(None)
    change(world, "c0000", carts=1)
    run(world)
    return world


def addresses(world: World) -> list[str]:
    return sorted(member.identifier for member in world.platform.members.values())


def test_the_channel_s_own_id_is_no_changed_key(worlds: Worlds) -> None:
    world = a_world(worlds, "by_customer")
    for item in ("hat", "coat"):
        change(world, "c0000", item=item)
        plan = make_plan(world.env, "the_sync")
        assert (plan.add_count, plan.update_count, plan.remove_count) == (0, 1, 0)
        apply_plan(world.env, plan.plan_id)
    assert world.platform.members["c0000"].fields == {"item": "coat"}


def test_a_new_address_under_the_same_key_waits_until_the_old_one_is_removed(
    worlds: Worlds,
) -> None:
    world = a_world(worlds, "blind_by_customer")
    for customer_id in ("c0000", "c0001"):
        change(world, customer_id, email=f"new_{customer_id}@example.vn")
    world.platform.faults.append("partial")  # the second removal is refused this time
    assert run(world).receipts == {"acknowledged": 2, "deferred": 1, "rejected": 1}
    assert run(world).receipts == {"acknowledged": 2}
    assert addresses(world) == [
        "new_c0000@example.vn", "new_c0001@example.vn", "person0002@example.vn",
    ]  # fmt: skip


def test_who_comes_back_after_an_interrupted_removal_is_added_again(worlds: Worlds) -> None:
    for boundaries in range(12):
        world = back_after_an_interrupted_removal(worlds, "blind", boundaries)
        assert len(addresses(world)) == 3


def test_who_arrived_unnoticed_and_is_not_wanted_any_more_is_removed(worlds: Worlds) -> None:
    ends = set()
    for boundaries in range(12):
        world = a_world(worlds, "blind")
        change(world, "c0000", item="hat")
        world.lives.die_after(boundaries)
        with contextlib.suppress(Killed):
            run(world)
        world.lives.begin()
        world.lives.die_after(None)
        change(world, "c0000", carts=0)
        run(world)
        ends.add(len(addresses(world)))
    assert ends == {2}


def test_a_list_without_its_manifest_is_written_again(worlds: Worlds) -> None:
    for boundaries in range(12):
        world = back_after_an_interrupted_removal(worlds, "file", boundaries)
        assert len(addresses(world)) == 3 and world.platform.file_of is not None


def test_who_a_list_leaves_out_at_the_last_moment_comes_back_later(worlds: Worlds) -> None:
    world = a_world(worlds, "file")
    world.persons["c0009"] = people(10)[9]
    world.wait(1)
    world.publish()
    plan = make_plan(world.env, "the_sync")
    world.suppressed = {"person0001@example.vn", "person0009@example.vn"}
    world.write_suppressions()
    assert apply_plan(world.env, plan.plan_id).receipts == {"dropped": 1}
    run(world)
    assert addresses(world) == ["person0000@example.vn", "person0002@example.vn"]
    world.suppressed = set()
    world.write_suppressions()
    run(world)
    assert len(addresses(world)) == 4


def test_a_member_that_others_made_meanwhile_gets_our_fields(worlds: Worlds) -> None:
    world = a_world(worlds, "readable")
    for member in world.platform.members.values():
        member.fields = {"item": "theirs"}
    world.platform.members.clear()
    world.lives.begin()
    change(world, "c0000", item="hat")
    world.platform.faults.append("lost before")
    with pytest.raises(KhachError, match="no answer"):
        run(world)
    run(world)
    assert [m.fields for m in world.platform.members.values()] == [{"item": "hat"}]


def test_an_address_is_held_out_with_everybody_who_holds_it(worlds: Worlds) -> None:
    world = worlds("blind", guards={"max_change_share": 9.0}, on_enter={}, holdout=0.4)
    crowd = people(12)
    world.persons = {
        p.customer_id: replace(p, other_emails=(str(crowd[n - 1].email),))
        for n, p in enumerate(crowd)
    }
    world.publish()
    run(world)
    held_out = world.held_out()
    assert 0 < len(held_out) < 12 and not world.violations
    for member in world.platform.members.values():
        assert not held_out & {p.customer_id for p in world.holders(member.identifier)}
    assert run(world).receipts == {}


def test_a_person_with_two_records_of_a_draw_is_one_row(worlds: Worlds) -> None:
    world = a_world(worlds, "blind", holdout=0.0001)
    world.merge("c0000", "c0001")
    world.wait(1)
    world.publish()
    plan = make_plan(world.env, "the_sync")
    assert (plan.add_count, plan.remove_count, plan.unchanged_count) == (0, 1, 2)


def test_a_broken_address_does_not_keep_the_others_withdrawals(worlds: Worlds) -> None:
    world = a_world(worlds, "blind")
    for name in ("c0000", "c0001"):
        change(world, name, consent=False)
    world.platform.refused = {"person0001@example.vn"}
    assert run(world).unsubscribed_count == 1
    assert len(world.platform.unsubscribed) == 1
    refused = "select customer_id, status, vendor_code from sync_receipts where status = 'rejected'"
    assert world.state(refused) == [("c0001", "rejected", "400")]
    # Its withdrawal is not carried yet, so it is tried again; the others' are not.
    world.platform.refused = set()
    assert run(world).unsubscribed_count == 0
    assert world.state("select count(*) from suppression_pushes") == [(2,)]


def test_withdrawals_go_out_without_a_plan_and_nothing_else_does(worlds: Worlds) -> None:
    world = a_world(worlds, "blind")
    world.persons |= {p.customer_id: p for p in people(4)}
    change(world, "c0001", consent=False)
    assert carry_withdrawals(world.env, "the_sync") == 1
    assert world.platform.unsubscribed == {sha256("person0001@example.vn")}
    assert "c0003" not in {member.customer_id for member in world.platform.members.values()}
    assert carry_withdrawals(world.env, "the_sync") == 0
    assert run(world).unsubscribed_count == 0


def test_a_sync_whose_turn_it_is_not_carries_withdrawals(worlds: Worlds) -> None:
    world = a_world(worlds, "blind")
    change(world, "c0001", consent=False)
    session: Any = SimpleNamespace(
        plans={}, env=world.env, progress=SimpleNamespace(step=lambda _name: None)
    )
    assert stages.apply_sync(session, "the_sync") is None
    assert world.platform.unsubscribed == {sha256("person0001@example.vn")}


def test_every_holder_of_a_withdrawn_address_is_told_by_their_own_key(worlds: Worlds) -> None:
    world = a_world(worlds, "blind_by_customer")
    change(world, "c0001", consent=False, other_emails=("person0002@example.vn",))
    assert run(world).unsubscribed_count == 2
    assert world.platform.unsubscribed == {"c0001", "c0002"}
    told = "select customer_id, receipt_id from sync_receipts where action = 'suppress'"
    rows = world.state(told)
    # By the first address it is one person's, by the second both hold it.
    assert sorted(row[0] for row in rows) == ["c0001", "c0001", "c0002"]
    assert len({row[1] for row in rows}) == 3
    assert run(world).unsubscribed_count == 0
    assert len(world.state(told)) == 3


def test_who_comes_on_the_suppression_list_again_is_told_again(worlds: Worlds) -> None:
    world = a_world(worlds, "blind")
    counts = []
    for listed in ({"person0001@example.vn"}, set(), {"person0001@example.vn"}):
        world.suppressed = listed
        world.write_suppressions()
        counts.append([run(world).unsubscribed_count, run(world).unsubscribed_count])
        world.platform.unsubscribed.clear()  # they come back by the platform's own form
        member = Member("c0001", "person0001@example.vn", {})
        world.platform.members[sha256(member.identifier)] = member
    assert counts == [[1, 0], [0, 0], [1, 0]]


def test_a_refusal_that_another_holder_adds_is_carried_too(worlds: Worlds) -> None:
    world = a_world(worlds, "blind")
    change(world, "c0000", consent=False)
    run(world)
    assert len(world.platform.unsubscribed) == 1
    # They came back by the platform's own form.
    back = Member("c0000", "person0000@example.vn", {})
    world.platform.members |= dict.fromkeys(world.platform.unsubscribed, back)
    world.platform.unsubscribed.clear()
    change(world, "c0001", consent=False, other_emails=("person0000@example.vn",))
    assert run(world).unsubscribed_count == 2


@pytest.mark.parametrize("act", ["upsert", "remove", "suppress"])
def test_a_channel_may_say_of_a_whole_batch_that_nobody_answers(
    worlds: Worlds, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    world = a_world(worlds, "readable")
    change(world, "c0000", consent=False)
    change(world, "c0001", item="hat")

    def silent(_channel: object, _batch: object) -> object:
        raise BusyError("the platform does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(world.channel, act, silent)
        with pytest.raises(BusyError):
            run(world)
    run(world)
    assert addresses(world) == ["person0001@example.vn", "person0002@example.vn"]
    held = {one.customer_id: one.fields["item"] for one in world.platform.members.values()}
    assert held["c0001"] == "hat"
    assert world.state("select count(*) from sync_intents") == [(0,)]
    assert make_plan(world.env, "the_sync").change_count == 0
