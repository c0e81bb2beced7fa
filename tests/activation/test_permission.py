"""Nothing goes out without the one function that builds a permitted row from a consent."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from activation_shop import Person, people
from faulty_channels import VARIANTS
from hypothesis import given, settings
from hypothesis import strategies as st
from world import World

from activation import consent, evaluation
from activation.apply import apply_plan
from activation.plan import make_plan
from khach.errors import KhachError

Worlds = Callable[..., World]
KINDS = sorted(VARIANTS)


def a_world(worlds: Worlds, variant: str) -> World:
    """Three members are in the list already; one is new, and one has changed."""
    guards = {"max_removal_share": 1.0, "max_change_share": 9.0}
    world = worlds(variant, guards=guards, on_enter={"cool_down_days": 1, "valid_for_hours": 99})
    world.persons = {p.customer_id: p for p in people(3)}
    world.publish()
    apply_plan(world.env, make_plan(world.env, "the_sync").plan_id)
    world.platform.finish_jobs()
    world.persons["c0009"] = Person("c0009", "nine@example.vn")
    world.persons["c0000"] = replace(world.persons["c0000"], item="Dép 2")
    world.wait(24)
    world.publish()
    return world


def seen(world: World) -> tuple[Any, ...]:
    """What the platform holds, delivered and took over."""
    platform = world.platform
    return (
        {key: (member.identifier, member.fields) for key, member in platform.members.items()},
        len(platform.deliveries), len(platform.jobs), platform.file_of,
    )  # fmt: skip


def refuse(*_: Any, **__: Any) -> Any:
    raise consent.NotPermittedError("there is no such function any more")


def pretend(given: Any, **row: Any) -> Any:
    """Looks like a permitted row, and was built from no consent."""
    kept = {name: row[name] for name in ("identifier", "remote_id", "fields")}
    return SimpleNamespace(consent=given, row_id=row.get("row_id", ""), **kept)


@pytest.mark.parametrize("variant", KINDS)
@pytest.mark.parametrize("mutant", [refuse, pretend])
def test_without_the_function_every_add_update_and_message_fails(
    worlds: Worlds, monkeypatch: pytest.MonkeyPatch, variant: str, mutant: Callable[..., Any]
) -> None:
    world = a_world(worlds, variant)
    before = seen(world)
    plan = make_plan(world.env, "the_sync")
    assert plan.change_count >= 1
    with monkeypatch.context() as patch:
        patch.setattr(evaluation, "permit", mutant)
        with pytest.raises((consent.NotPermittedError, TypeError)):
            apply_plan(world.env, plan.plan_id)
        assert seen(world) == before
    world.lives.begin()
    apply_plan(world.env, make_plan(world.env, "the_sync").plan_id)
    assert seen(world) != before or "message" in world.channel.capabilities.kinds


@pytest.mark.parametrize("variant", ["blind_by_customer", "careless"])
def test_one_flipped_consent_takes_out_exactly_its_row(worlds: Worlds, variant: str) -> None:
    @settings(max_examples=12)
    @given(
        st.lists(st.sampled_from([True, True, False, None]), min_size=6, max_size=6),
        st.integers(0, 5),
    )
    def check(consents: list[bool | None], flipped: int) -> None:
        def rows() -> set[str]:
            world = worlds(variant, guards={"max_change_share": 9.0},
                           on_enter={"cool_down_days": 1, "valid_for_hours": 99})  # fmt: skip
            world.persons = {
                p.customer_id: replace(p, consent=c)
                for p, c in zip(people(6), consents, strict=True)
            }
            world.publish()
            try:
                apply_plan(world.env, make_plan(world.env, "the_sync").plan_id)
            except KhachError as problem:
                assert "blocked" in problem.message  # nobody is left
            finally:
                world.lives.end()
            sent = {m.customer_id for m in world.platform.members.values()}
            return sent | {d.customer_id for d in world.platform.deliveries}

        consents[flipped] = True
        before = rows()
        consents[flipped] = False
        assert before - rows() == {f"c{flipped:04}"} and rows() <= before

    check()
