"""Any history of plans and applies against a platform that fails, and a process that dies.

The rules of this machine are what people, the platform and the operating system may do; the
model (world.py) knows no code of activation. In the end, after rounds without faults, the channel
holds what it ought to, and at no time was anybody written to who must not be.
"""

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from activation_shop import Person
from faulty_channels import FAULTS, VARIANTS, Member
from hypothesis import Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)
from one_life import Killed
from world import ADULT, MINOR, World, sha256

from activation.apply import ApplySummary, apply_plan
from activation.plan import make_plan
from activation.plan_summary import PlanSummary
from activation.recovery import settle
from khach.errors import KhachError

ADDRESSES = [f"p{n}@example.vn" for n in range(6)]
BAD = "refused@example.vn"  # the platform never takes it
IDS = [f"c{n}" for n in range(7)]
ANY_ID = st.sampled_from(IDS)
ANY_ADDRESS = st.sampled_from([None, "not an address", BAD, *ADDRESSES])
CHANGE = st.one_of(
    st.tuples(ANY_ID, st.just("carts"), st.sampled_from([0, 1])),
    st.tuples(ANY_ID, st.just("item"), st.sampled_from(["shoe", "hat", ""])),
    st.tuples(ANY_ID, st.just("consent"), st.sampled_from([True, False, None])),
    st.tuples(ANY_ID, st.just("email"), ANY_ADDRESS),
    st.tuples(ANY_ID, st.just("other_emails"), st.sampled_from([(), *[(a,) for a in ADDRESSES]])),
    st.tuples(ANY_ID, st.just("birth_date"), st.sampled_from([ADULT, ADULT, MINOR])),
    st.tuples(ANY_ID, st.just("merge"), ANY_ID),
    st.tuples(ANY_ID, st.just("suppress"), st.sampled_from(ADDRESSES)),
)
CHANGES = st.tuples(CHANGE, CHANGE, CHANGE)
WAIT = st.sampled_from([0, 1, 7, 13, 30, 24 * 3, 24 * 15])
HOW = st.sampled_from(["whole"] * 6 + ["empty", "half", "red", "old"])
FAULT = st.sampled_from(["none", *FAULTS])
TROUBLE = st.tuples(FAULT, FAULT, FAULT)
DEATH = st.integers(0, 16)

_ACCEPTS = st.booleans()
# One rule with many faces.
EVENTS = {
    "a_quiet_day": {"changes": CHANGES, "wait": WAIT, "how": HOW, "accepts": _ACCEPTS},
    "a_day_of_faults": {"changes": CHANGES, "wait": WAIT, "accepts": _ACCEPTS, "faults": TROUBLE},
    "a_day_of_death": {
        "changes": CHANGES,
        "wait": WAIT,
        "accepts": _ACCEPTS,
        "faults": TROUBLE,
        "dies_after": DEATH,
    },
    "something_happens_between_plan_and_apply": {
        "changes": CHANGES,
        "accepts": _ACCEPTS,
        "dies_after": DEATH,
    },
    "it_is_settled": {"faults": TROUBLE, "dies_after": DEATH},
    "the_platform_finishes_its_jobs": {
        "fate": st.sampled_from(["delivered", "delivered", "failed"])
    },
    "others_edit_the_list": {
        "number": st.integers(0, 9),
        "what": st.sampled_from(["edit", "drop", "unsubscribe", "add"]),
    },
}
EVENT = st.one_of(
    [st.tuples(st.just(name), st.fixed_dictionaries(given)) for name, given in EVENTS.items()]
)


class AnyHistory(RuleBasedStateMachine):
    """One shop, one sync, one platform."""

    make: Callable[..., World]
    ended: list[str]
    world: World

    @initialize(
        variant=st.sampled_from(sorted(VARIANTS)),
        share=st.sampled_from([0.4, 1.0]),
        holdout=st.sampled_from([0.0, 0.0, 0.3]),
        starts_full=st.booleans(),
        on_enter=st.sampled_from([(2, 48.0), (14, 5000.0), (0, 5000.0)]),
    )
    def open_shop(
        self,
        variant: str,
        share: float,
        holdout: float,
        starts_full: bool,
        on_enter: tuple[int, float],
    ) -> None:
        guards = {
            "max_removal_share": share, "max_change_share": 1.0, "max_input_age_hours": 26,
        }  # fmt: skip
        entry = {"cool_down_days": on_enter[0], "valid_for_hours": on_enter[1]}
        self.plan: PlanSummary | None = None
        self.world = type(self).make(variant, guards=guards, on_enter=entry, holdout=holdout)
        if not self.world.channel.capabilities.is_whole_file:
            self.world.platform.refused = {BAD}
        self.world.persons = {
            customer_id: Person(customer_id, address, item="shoe", birth_date=ADULT)
            for customer_id, address in zip(IDS, ADDRESSES, strict=False)
        }
        self.world.publish()
        if starts_full:
            self.live(lambda: self._plan_and_apply(True))

    @rule(event=EVENT)
    def it_happens(self, event: tuple[str, dict[str, Any]]) -> None:
        name, given = event
        getattr(self, name)(**given)

    def a_quiet_day(self, changes: tuple, wait: int, how: str, accepts: bool) -> None:
        self.a_day(changes, wait, how)
        self.live(lambda: self._plan_and_apply(accepts))

    def a_day_of_faults(self, changes: tuple, wait: int, accepts: bool, faults: tuple) -> None:
        self.a_day(changes, wait, "whole")
        self.live(lambda: self._plan_and_apply(accepts), faults)

    def a_day_of_death(
        self, changes: tuple, wait: int, accepts: bool, faults: tuple, dies_after: int
    ) -> None:
        self.a_day(changes, wait, "whole")
        self.live(lambda: self._plan_and_apply(accepts), faults, dies_after)

    def something_happens_between_plan_and_apply(
        self, changes: tuple, accepts: bool, dies_after: int
    ) -> None:
        self.live(self._plan)
        for change in changes:
            self.change(*change)
        if self.plan is not None:
            self.live(lambda: self._apply(accepts), (), dies_after)

    def it_is_settled(self, faults: tuple, dies_after: int) -> None:
        self.live(lambda: settle(self.world.env), faults, dies_after)

    def a_day(self, changes: tuple, wait: int, how: str) -> None:
        for change in changes:
            self.change(*change)
        self.world.wait(wait)
        self.world.publish(how)

    def change(self, who: str, what: str, value: Any) -> None:
        """Something about a person, or about what the business knows of them."""
        here = self.world
        if what == "suppress":
            here.suppressed ^= {value}
            here.write_suppressions()
        elif what == "merge":
            if who != value and {who, value} <= here.persons.keys():
                here.merge(who, value)
        elif who not in here.merged:
            person = here.persons.get(who, Person(who, None, item="shoe", birth_date=ADULT))
            here.persons[who] = replace(person, **{what: value})

    def the_platform_finishes_its_jobs(self, fate: str) -> None:
        self.world.platform.finish_jobs(fate)

    def others_edit_the_list(self, number: int, what: str) -> None:
        members = self.world.platform.members
        if self.world.is_message or self.world.channel.capabilities.is_whole_file:
            return
        if what == "add":
            address = ADDRESSES[number % len(ADDRESSES)]
            members["stranger"] = Member("?", "stranger@example.vn", {}, is_ours=False)
            self.world.platform.has_stranger = True
            members.setdefault(sha256(address), Member("?", address, {}, is_ours=False))
            return
        keys = sorted(key for key, member in members.items() if member.is_ours)
        if not keys:
            return
        key = keys[number % len(keys)]
        if what == "unsubscribe":
            self.world.platform.unsubscribed.add(key)
            return
        self.world.platform.drifted.add(key)
        if what == "drop":
            del members[key]
        else:
            members[key] = replace(members[key], fields={"item": "edited by others"})

    def live(
        self, act: Callable[[], object], faults: tuple = (), dies_after: int | None = None
    ) -> None:
        """One process: it may end in an error of its own, or die."""
        here = self.world
        here.platform.faults.extend(faults)
        here.lives.die_after(dies_after)
        try:
            act()
        except (KhachError, Killed):
            pass  # what matters is what it leaves behind
        finally:
            here.platform.faults.clear()
            here.lives.begin()
        assert not here.violations, here.violations

    def _plan(self) -> None:
        self.plan = None
        self.plan = make_plan(self.world.env, "the_sync")

    def _plan_and_apply(self, accepts: bool) -> None:
        self._plan()
        self._apply(accepts)

    def _apply(self, accepts: bool) -> ApplySummary:
        assert self.plan is not None
        here = self.world
        held = here.state("select customer_id, identifier_hash from sync_acknowledged")
        refusing = here.refusing()
        withdrawn = [row for row in held if refusing & {*row, here.merged.get(row[0])}]
        before = here.platform.removals_asked
        tripped = tuple(guard.guard for guard in self.plan.tripped) if accepts else ()
        try:
            return apply_plan(here.env, self.plan.plan_id, tripped)
        finally:
            asked = here.platform.removals_asked - before
            limit = 1.0 if accepts else here.guards["max_removal_share"]
            # Of those who took their consent back any number goes.
            most = limit * len(held) + len(withdrawn)
            assert asked <= most, f"{asked} of {len(held)} removed"

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            self.heal()
            self.check()
            self.ended.append(self.world.platform.__class__.__name__)
        finally:
            self.world.lives.end()

    def heal(self) -> None:
        """Days without trouble; somebody releases what is held."""
        here = self.world
        here.lives.die_after(None)
        for _ in range(8):
            here.platform.finish_jobs()
            here.to_the_morning()
            here.publish()
            self._plan()
            is_over = not here.platform.jobs and not self._hopeful_rows()
            # An empty plan is carried out too: it records who is held out.
            self._apply(True)
            if is_over:
                return
            here.wait(1)
        raise AssertionError(f"no end: {self._hopeful_rows()}")

    def _hopeful_rows(self) -> list[tuple[Any, ...]]:
        """Rows of the last plan but those that the platform refuses for good."""
        platform = self.world.platform
        hopeless = {*map(sha256, platform.refused), *platform.unsubscribed}
        assert self.plan is not None
        rows = self.world.state(
            "select action, customer_id, identifier_hash, remote_id from sync_plan_rows "
            f"where plan_id = '{self.plan.plan_id}'"
        )
        keys = self.world.platform.handles
        return [
            row for row in rows
            if row[0] == "remove" or not hopeless & {row[2], keys.get(row[3], row[3])}
        ]  # fmt: skip

    def check(self) -> None:
        here = self.world
        assert not here.violations, here.violations
        assert here.state("select count(*) from sync_intents") == [(0,)]
        wanted = here.wanted(here.held_out())
        if here.is_message:
            check_messages(here, wanted)
        else:
            check_members(here, wanted)


def check_members(here: World, wanted: dict[str, set[str]]) -> None:
    """The list is what it ought to be, but for what the platform refused or others edited."""
    platform = here.platform
    away = platform.drifted | platform.unsubscribed
    ours = [m for key, m in platform.members.items() if m.is_ours and key not in away]
    addresses = sorted(member.identifier for member in ours)
    assert len(addresses) == len(set(addresses)), "an address stands twice"
    left_so = {a for a, customers in wanted.items() if here.keys(a, customers) & away}
    may_stand = wanted.keys() - platform.refused
    # Who left under one key may share the address with somebody who stands under another.
    assert may_stand - left_so <= set(addresses) <= may_stand
    for member in ours:
        assert member.customer_id in wanted[member.identifier]
        assert member.fields == {"item": here.published[member.customer_id].item}
    if platform.has_stranger:
        assert "stranger" in platform.members, "only members that we added are ours to remove"


def check_messages(here: World, wanted: dict[str, set[str]]) -> None:
    """Who should have heard has, or the platform told that it could not, or nobody can tell."""
    if here.on_enter["valid_for_hours"] < 1000:
        return
    ended = here.platform.deliveries + here.platform.undelivered
    told = {d.identifier for d in ended}
    told_customers = {here.merged.get(d.customer_id, d.customer_id) for d in ended}
    unknown = here.state(
        "select customer_id, identifier_hash from messages where status = 'unknown'"
    )
    told_customers |= {here.merged.get(row[0], row[0]) for row in unknown}
    hashes = {row[1] for row in unknown}
    for address, customers in wanted.items():
        is_told = address in told or customers & told_customers or sha256(address) in hashes
        assert is_told or address in here.platform.refused, f"{customers} never heard"


def run_histories(make: Callable[..., World], count: int, *, steps: int) -> None:
    """At least so many, each to its end; hypothesis counts about half of what it runs."""
    ended: list[str] = []
    machine = type("Machine", (AnyHistory,), {"make": staticmethod(make), "ended": ended})
    for number in itertools.count():
        if len(ended) >= count:
            break
        if settings.default.derandomize:
            seed(number)(machine)
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=max(10, (count - len(ended)) // 3),
                stateful_step_count=steps,
                # A history of eight days shrinks for many minutes, and is readable as it is.
                phases=[Phase.explicit, Phase.generate],
            ),
        )


@pytest.mark.parametrize("is_listed", [True, False])
def test_who_is_permitted_again_after_the_plan_waits_for_the_next(
    worlds: Callable[..., World], is_listed: bool
) -> None:
    """A whole file never has anybody whom its plan took off, or did not know of."""
    story = type("Story", (AnyHistory,), {"make": staticmethod(worlds), "ended": []})()
    story.open_shop("file", share=1.0, holdout=0.0, starts_full=is_listed, on_enter=(0, 5000.0))
    again = ("c5", "suppress", ADDRESSES[5])
    story.change(*again)
    story.live(story._plan)
    story.change(*again)
    story.live(lambda: story._apply(True))
    platform, state = story.world.platform, story.world.state
    listed = {member.identifier for member in platform.members.values()}
    assert listed == set(ADDRESSES[:5])
    assert state("select count(*) from sync_acknowledged") == [(5,)]
    story.teardown()
    assert {member.identifier for member in platform.members.values()} == set(ADDRESSES)


def test_after_any_history_the_channel_is_what_it_ought_to_be(worlds: Callable[..., World]) -> None:
    run_histories(worlds, 200, steps=4)


@pytest.mark.nightly
def test_after_many_histories_the_channel_is_what_it_ought_to_be(
    worlds: Callable[..., World],
) -> None:
    run_histories(worlds, 2_000, steps=8)
