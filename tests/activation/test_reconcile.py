"""The channel's own list against ours: drift is counted, and mended by the next plan."""

import pytest
from activation_shop import Shop, people

from activation.apply import apply_plan
from activation.plan import make_plan
from activation.reconcile import reconcile
from khach.errors import ConfigError
from sandbox.mailchimp import store


@pytest.fixture
def edited(shop: Shop) -> Shop:
    """Six members; others took two out, put a stranger in, and one unsubscribed."""
    shop.publish(people(6))
    apply_plan(shop.env, make_plan(shop.env, "cart_email").plan_id)
    connection = store.connect(shop.platform)
    tagged = [row[0] for row in shop.remote("select member_id from members where list_id = $list")]
    connection.execute(
        "delete from member_tags where list_id = ? and member_id in (?, ?)",
        (shop.list_id, *sorted(tagged)[:2]),
    )
    connection.execute(
        "update members set status = 'unsubscribed' where list_id = ? and member_id = ?",
        (shop.list_id, sorted(tagged)[2]),
    )
    connection.commit()
    connection.close()
    return shop


def test_drift_is_counted_and_nothing_is_changed(edited: Shop) -> None:
    for _ in range(2):
        drift = reconcile(edited.env, "cart_email")
        counts = (drift.remote_count, drift.acknowledged_count, drift.missing_count,
                  drift.stray_count)  # fmt: skip
        # Who unsubscribed still carries the tag: a segment hides them unless it is asked.
        assert counts == (4, 6, 2, 0)
    assert edited.state("select count(*) from sync_acknowledged") == [(6,)]


def test_a_repair_is_planned_like_any_other_change(edited: Shop) -> None:
    assert reconcile(edited.env, "cart_email", repair=True).is_repaired
    assert len(edited.addresses()) == 4
    plan = make_plan(edited.env, "cart_email")
    assert (plan.add_count, plan.remove_count) == (2, 0)
    apply_plan(edited.env, plan.plan_id)
    assert len(edited.addresses()) == 6
    assert reconcile(edited.env, "cart_email").missing_count == 0


def test_a_member_whose_end_is_unknown_keeps_its_state(edited: Shop) -> None:
    """Where the platform names members by ids of its own, we may not have been told one's."""
    [(who,)] = edited.state("select arg_max(customer_id, remote_id) from sync_acknowledged")
    edited.state(
        "update sync_acknowledged set payload_hash = null, field_hashes = null, "
        "remote_id = 'not told' where customer_id = ?",
        who,
    )
    drift = reconcile(edited.env, "cart_email", repair=True)
    assert (drift.missing_count, drift.unconfirmed_count) == (2, 1)
    assert "unconfirmed 1" in drift.text()
    held = "select customer_id from sync_acknowledged where payload_hash is null"
    assert edited.state(held) == [(who,)]
    edited.publish([person for person in people(6) if person.customer_id != who])
    assert make_plan(edited.env, "cart_email").remove_count == 1


def test_members_that_others_put_in_are_left_alone(shop: Shop) -> None:
    shop.publish(people(6))
    apply_plan(shop.env, make_plan(shop.env, "cart_email").plan_id)
    shop.state("delete from sync_acknowledged where customer_id < 'c0002'")
    drift = reconcile(shop.env, "cart_email", repair=True)
    assert (drift.missing_count, drift.stray_count) == (0, 2)
    assert len(shop.addresses()) == 6


def test_a_channel_that_shows_no_list_says_so(shop: Shop) -> None:
    with pytest.raises(ConfigError, match="does not show its list"):
        reconcile(shop.env, "cart_file")
