"""Platforms that answer days later, syncs that are gone, hours that end while messages go out."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from activation_shop import Person, Shop, people

from activation.apply import apply_plan
from activation.channels import CHANNELS
from activation.channels.base import Batch, BatchRejectedError, Capabilities, Channel, Outcome
from activation.plan import PlanSummary, make_plan
from activation.recovery import settle
from activation.resending import _send
from khach.clock import now
from khach.errors import ConfigError
from khach.state import open_state
from orchestration import stages

AUDIENCE = """name: {name}
owner: crm
description: Left a cart.
where: carts_abandoned_3d > 0
purpose: marketing
syncs:
  - {sync}
guards: {{max_removal_share: 0.5, max_change_share: 10.0, max_input_age_hours: 1000000}}
examples: []
"""
MEMBERS = (
    "{{id: {id}, kind: membership, channel: {channel}, consent_channel: email, "
    "remote: {{list: LIST}}}}"
)
TEXTS = (
    "{id: texts, kind: message, channel: slow_texts, consent_channel: email, remote: {list: LIST}, "
    "on_enter: {cool_down_days: 1, valid_for_hours: 720}, fields: {body: hi}, "
    "send_window: '08:00-21:00'}"
)


def able(**more: Any) -> Capabilities:
    return Capabilities(
        consent_channel=None, remote={"list": "variable"}, field_name=re.compile("body"),
        remote_id_sql="identifier_hash", batch_size=more.pop("batch_size", 100), **more,
    )  # fmt: skip


class LateList(Channel):
    """A whole list under one id, of which the platform speaks when it likes (as TikTok's)."""

    capabilities = able(is_whole_file=True, is_polled=True, modes=frozenset({"mirror"}))
    there: ClassVar[list[str]] = []
    answer: ClassVar[Outcome] = Outcome("submitted", handle="audience-1")

    def __init__(self, *_: Any) -> None:
        pass

    def replace(self, rows: Sequence[Any], *_: Any) -> Outcome:
        LateList.there = sorted(row.identifier for row in rows)
        return Outcome("submitted", handle="audience-1")

    def holds(self, *_: Any) -> bool:
        return False

    def poll(self, handles: Sequence[str]) -> list[Outcome]:
        return [LateList.answer] * len(handles)


class Refused(LateList):
    """Its token ran out after it took a list."""

    def poll(self, handles: Sequence[str]) -> list[Outcome]:
        raise ConfigError(f"the token is refused, for {len(handles)} questions")


class Jobs(Channel):
    """Takes additions and removals, each in a job of its own."""

    capabilities = able(can_read_back=False)
    members: ClassVar[set[str]] = set()

    def __init__(self, *_: Any) -> None:
        pass

    def upsert(self, batch: Batch[Any]) -> list[Outcome]:
        Jobs.members |= {row.remote_id for row in batch.rows}
        return [Outcome("acknowledged")] * len(batch.rows)

    def remove(self, batch: Batch[Any]) -> list[Outcome]:
        Jobs.members -= {row.remote_id for row in batch.rows}
        return [Outcome("acknowledged")] * len(batch.rows)


class SlowTexts(Channel):
    """One text takes an hour of the business's clock."""

    capabilities = able(batch_size=1, kinds=frozenset({"message"}))
    sent: ClassVar[list[str]] = []

    def __init__(self, env: Any, *_: Any) -> None:
        self._env = env

    def send(self, batch: Batch[Any]) -> list[Outcome]:
        at = now(self._env)
        SlowTexts.sent.append(f"{at:%H:%M}")
        set_clock(self._env, at.hour + 1)
        return [Outcome("acknowledged")] * len(batch.rows)


def set_clock(env: Any, hour: int) -> None:
    env.sandbox.mkdir(exist_ok=True)
    (env.sandbox / "clock.json").write_text(json.dumps({"now": f"2026-06-28T{hour:02}:30:00Z"}))


@pytest.fixture
def shop(bare_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setenv("LIST", "l")
    Jobs.members.clear()
    SlowTexts.sent.clear()
    kinds = {"late_list": LateList, "refused": Refused, "jobs": Jobs, "slow_texts": SlowTexts}
    for name, kind in kinds.items():
        monkeypatch.setitem(CHANNELS, name, kind)
    LateList.answer = Outcome("submitted", handle="audience-1")
    return bare_shop


def members(shop: Shop, id_: str, channel: str) -> None:
    shop.audience(AUDIENCE.format(name=id_, sync=MEMBERS.format(id=id_, channel=channel)))


def run(shop: Shop, sync: str) -> PlanSummary:
    plan = make_plan(shop.env, sync)
    apply_plan(shop.env, plan.plan_id)
    return plan


def test_a_whole_list_keeps_those_whose_answer_is_still_to_come(shop: Shop) -> None:
    members(shop, "ads", "late_list")
    shop.publish(people(3))
    run(shop, "ads")
    shop.publish(people(4), day=1)
    assert run(shop, "ads").add_count == 1
    assert len(LateList.there) == 4
    LateList.answer = Outcome("acknowledged", handle="audience-1")
    shop.publish(people(4), day=2)
    plan = make_plan(shop.env, "ads")
    assert (plan.unchanged_count, plan.add_count, plan.remove_count) == (4, 0, 0)
    # One id of the list for two deliveries multiplies nothing.
    assert shop.state("select count(*) from sync_acknowledged") == [(4,)]
    receipts = (
        "select count(*), count(distinct receipt_id), count(distinct status) from sync_receipts"
    )
    assert shop.state(receipts) == [(4, 4, 1)]
    shop.publish(people(3), day=3)
    assert make_plan(shop.env, "ads").remove_count == 1


def test_a_sync_that_is_gone_or_refused_holds_up_no_other(shop: Shop) -> None:
    members(shop, "ads", "late_list")
    members(shop, "gone", "late_list")
    members(shop, "expired", "refused")
    shop.publish(people(3))
    for sync in ("gone", "expired"):
        run(shop, sync)
    (shop.env.config / "audiences" / "gone.yml").unlink()
    noted: list[tuple[str, str]] = []
    session = SimpleNamespace(
        env=shop.env, plans={}, plan_rows={}, progress=SimpleNamespace(step=lambda _: None),
        note=lambda stage, problem: noted.append((stage, problem.message)),
    )  # fmt: skip
    summary = stages.plan_sync(session, "ads", is_hourly=False)  # type: ignore[arg-type]
    assert summary is not None
    assert summary.add_count == 3
    assert noted == [("sync", "the token is refused, for 1 questions")]
    left = "select sync_id, count(*) from sync_submitted group by all"
    assert shop.state(left) == [("expired", 3)]
    receipts = "select distinct status, vendor_code from sync_receipts where sync_id = 'gone'"
    assert shop.state(receipts) == [("unknown", "sync_removed")]
    with pytest.raises(ConfigError):
        settle(shop.env)


def test_a_leaver_a_day_does_not_keep_newcomers_out(shop: Shop) -> None:
    members(shop, "ads", "jobs")
    shop.publish(people(4))
    run(shop, "ads")
    shop.publish(people(6)[1:], day=1)
    plan = run(shop, "ads")
    assert (plan.add_count, plan.remove_count) == (2, 1)
    assert len(Jobs.members) == 5
    statuses = f"select distinct status from sync_receipts where plan_id = '{plan.plan_id}'"
    assert shop.state(statuses) == [("acknowledged",)]


def test_messages_wait_when_the_hours_end_while_they_go_out(shop: Shop) -> None:
    shop.audience(AUDIENCE.format(name="texts", sync=TEXTS))
    set_clock(
        shop.env, 12
    )  # half past seven in the evening in Viet Nam; an hour and a half is left
    shop.publish(people(5))
    done = apply_plan(shop.env, make_plan(shop.env, "texts").plan_id)
    assert SlowTexts.sent == ["12:30", "13:30"]
    assert done.receipts == {"acknowledged": 2, "deferred": 3}


def test_a_repeat_that_is_refused_leaves_open_whether_the_first_arrived() -> None:
    class Deployed(SlowTexts):
        def send(self, _batch: Batch[Any]) -> list[Outcome]:
            raise BatchRejectedError("404", "no such page")

    with_one: Any = SimpleNamespace(rows=[1])
    assert [one.status for one in _send(Deployed(None), with_one)] == ["unknown"]


def test_an_open_message_of_a_sync_that_is_gone_counts_as_accepted(shop: Shop) -> None:
    with open_state(shop.env) as state:
        state.execute("insert into sync_submitted values ('p', 1, 'old', 'SM1', now()::timestamp)")
    assert [one.sync_id for one in settle(shop.env)] == ["old"]


def with_withdrawals(count: int, *withdrawn: int) -> list[Person]:
    return [
        replace(person, consent=False) if number in withdrawn else person
        for number, person in enumerate(people(count))
    ]


def test_no_guard_on_removals_holds_up_those_who_withdrew(shop: Shop) -> None:
    members(shop, "ads", "jobs")
    shop.publish(people(4))
    run(shop, "ads")
    shop.publish(with_withdrawals(4, 0, 1, 2), day=1)
    plan = run(shop, "ads")
    assert plan.remove_count == 3
    assert not plan.tripped
    assert len(Jobs.members) == 1
    shop.publish([], day=2)  # who is gone without a word is another matter
    assert make_plan(shop.env, "ads").tripped


def test_who_withdraws_leaves_a_list_that_only_grows(shop: Shop) -> None:
    sync = MEMBERS.format(id="ads", channel="jobs").replace("kind:", "mode: add_only, kind:")
    shop.audience(AUDIENCE.format(name="ads", sync=sync))
    shop.publish(people(4))
    run(shop, "ads")
    shop.publish(with_withdrawals(4, 2)[1:], day=1)
    assert run(shop, "ads").remove_count == 1
    assert len(Jobs.members) == 3
