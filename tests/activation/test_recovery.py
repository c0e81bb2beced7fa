"""A process killed at any line of plan or apply: the next run ends as if nothing had happened."""

import csv
import os
import random
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from activation_shop import Person, Shop, people

from activation.apply import apply_plan
from activation.channels.mailchimp import Mailchimp
from activation.leases import hold_lease
from activation.plan import make_plan
from activation.recovery import settle
from khach.environment import PROJECT
from khach.errors import BusyError

CHILD = Path(__file__).with_name("activation_child.py")
YESTERDAY = people(6)
# Tomorrow: one leaves, one changes, one withdraws, nine come; every kind of work is under way.
TODAY = [
    replace(YESTERDAY[0], orders_since=1),
    replace(YESTERDAY[1], item="Dép 2"),
    replace(YESTERDAY[2], consent=False),
    *YESTERDAY[3:],
    *[Person(f"n{i}", f"new{i}@example.vn") for i in range(9)],
]


def run_child(shop: Shop, kill_at: int) -> subprocess.CompletedProcess[str]:
    arguments = [shop.env.home, shop.env.config, shop.env.project, kill_at]
    return subprocess.run(
        [sys.executable, CHILD, *map(str, arguments)],
        env=os.environ | shop.variables | {"PYTHONPATH": f"{os.environ['PYTHONPATH']}:{PROJECT}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def dropped(shop: Shop) -> list[list[str]]:
    path = Path(shop.variables["CART_DROP_FOLDER"]) / "cart_file.csv"
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.reader(handle))


def outcome(shop: Shop) -> tuple[object, ...]:
    """What the channels and our own books say in the end."""
    return (
        sorted(shop.members()),
        sorted(shop.remote("select email_address, status from members where list_id = $list")),
        dropped(shop),
        shop.state("select sync_id, customer_id from sync_acknowledged order by all"),
        shop.state("select * from holdouts order by 2"),
        shop.state(
            "select sync_id, customer_id, reason_code, valid_to is null from audience_membership "
            "order by all"
        ),
    )


def prepare(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    loose = {"max_removal_share": 1, "max_change_share": 9, "max_input_age_hours": 10**6}
    shop.audience(holdout=0.2, guards=loose)
    shop.publish(YESTERDAY)
    with monkeypatch.context() as patch:
        for name, value in shop.variables.items():
            patch.setenv(name, value)
        for sync in ("cart_email", "cart_file"):
            apply_plan(shop.env, make_plan(shop.env, sync).plan_id)
    shop.publish(TODAY, day=1)


def check_kills(
    shop: Shop, twin: Shop, monkeypatch: pytest.MonkeyPatch, *, seed: int, kills: int
) -> None:
    print(f"seed {seed}")  # noqa: T201 - a failure must be repeatable
    draw = random.Random(seed)
    for each in (twin, shop):
        prepare(each, monkeypatch)
    undisturbed = run_child(twin, -1)
    assert undisturbed.returncode == 0, undisturbed.stderr
    for _ in range(kills):
        killed = run_child(shop, draw.randrange(1, int(undisturbed.stdout)))
        assert killed.returncode in (0, -signal.SIGKILL), killed.stderr
    healed = run_child(shop, -1)
    assert healed.returncode == 0, healed.stderr
    assert outcome(shop) == outcome(twin)
    for effect in ("member_created", "tag_added", "tag_removed", "unsubscribed"):
        assert sorted(shop.effects(effect)) == sorted(twin.effects(effect))
        assert len(set(shop.effects(effect))) == len(shop.effects(effect))
    assert shop.state("select count(*) from sync_intents") == [(0,)]
    assert make_plan(shop.env, "cart_email").change_count == 0


def test_killed_applies_end_like_an_undisturbed_twin(
    shop: Shop, twin: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_kills(shop, twin, monkeypatch, seed=random.randrange(10**6), kills=1)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(40))
def test_many_killed_applies_end_like_an_undisturbed_twin(
    shop: Shop, twin: Shop, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    check_kills(shop, twin, monkeypatch, seed=seed, kills=3)


def test_settling_finds_members_that_arrived_unnoticed(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.publish(people(6))
    with monkeypatch.context() as patch:
        real = Mailchimp._upsert

        def lose_the_answer(self: Mailchimp, row: object) -> object:
            if "person0004" not in row.identifier:
                real(self, row)
            raise BusyError("connection lost")

        patch.setattr(Mailchimp, "_upsert", lose_the_answer)
        with pytest.raises(BusyError, match="no answer for 6 rows"):
            apply_plan(shop.env, make_plan(shop.env, "cart_email").plan_id)
    found = settle(shop.env)
    assert [(s.acknowledged_count, s.dropped_count) for s in found] == [(5, 1)]
    assert settle(shop.env) == []
    plan = make_plan(shop.env, "cart_email")
    # Whether their fields arrived, too, nobody can tell.
    assert (plan.add_count, plan.update_count) == (1, 5)
    apply_plan(shop.env, plan.plan_id)
    assert len(shop.addresses()) == 6
    assert len(shop.effects("tag_added")) == 6


def test_a_sync_that_is_being_applied_is_left_alone(shop: Shop) -> None:
    shop.publish(people(2))
    plan = make_plan(shop.env, "cart_email")
    with hold_lease(shop.env, "cart_email"), pytest.raises(BusyError, match="is being applied"):
        apply_plan(shop.env, plan.plan_id)
    assert apply_plan(shop.env, plan.plan_id).status == "applied"


def test_the_lease_of_a_dead_process_is_taken_over_and_a_stranger_s_only_when_expired(
    shop: Shop,
) -> None:
    import socket

    host = socket.gethostname()
    hour = "now()::timestamp + interval 1 hour"
    shop.state(f"insert into leases values ('cart_email', '{host}/1/1.00', now(), {hour})")
    with hold_lease(shop.env, "cart_email"):
        pass
    shop.state(f"insert into leases values ('cart_email', 'elsewhere/1/1.00', now(), {hour})")
    with pytest.raises(BusyError), hold_lease(shop.env, "cart_email"):
        pass
    shop.state("update leases set expires_at = now()::timestamp - interval 1 second")
    with hold_lease(shop.env, "cart_email"):
        pass


def test_a_live_process_of_this_machine_keeps_its_lease_when_that_has_expired(shop: Shop) -> None:
    expire = "update leases set expires_at = now()::timestamp - interval 1 hour"
    with hold_lease(shop.env, "cart_email"):
        shop.state(expire)
        with pytest.raises(BusyError, match="is being applied"), hold_lease(shop.env, "cart_email"):
            pass
    with hold_lease(shop.env, "cart_email"):
        pass
