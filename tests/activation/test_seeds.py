"""Own staff are in every send and in no count; a test send goes to them alone."""

import pytest
from activation_shop import Shop, people

from activation.apply import apply_plan
from activation.plan import make_plan
from activation.preview import preview
from khach.errors import KhachError

SEEDS = """suppression_list: null
seeds:
  - {name: lan, agreed_on: 2026-01-05, email: Lan@khach.example}
  - {name: minh, agreed_on: 2026-01-05, phone: 0912 345 678}
"""


@pytest.fixture
def seeded(shop: Shop) -> Shop:
    """Ten customers; of two seeds one has an address."""
    (shop.env.config / "policy.yml").write_text(SEEDS, encoding="utf-8")
    shop.publish(people(10))
    return shop


def test_a_seed_is_sent_to_and_counted_nowhere(seeded: Shop) -> None:
    assert preview(seeded.env, "cart_abandoners").size == 10
    plan = make_plan(seeded.env, "cart_email")
    assert (plan.add_count, plan.excluded_count, plan.reasons) == (10, 0, {})
    done = apply_plan(seeded.env, plan.plan_id)
    assert (done.status, done.receipts) == ("applied", {"acknowledged": 11})
    assert "lan@khach.example" in seeded.addresses()
    kept = seeded.state("select consent_id from sync_receipts where customer_id = 'seed:lan'")
    assert kept == [("seed:lan",)]
    for table in ("audience_membership", "holdouts"):
        assert seeded.state(f"select count(*) from {table} where customer_id like 'seed:%'") == [
            (0,)
        ]
    again = make_plan(seeded.env, "cart_email")
    assert (again.change_count, again.unchanged_count) == (0, 10)


def test_a_seed_is_held_out_never_and_stops_no_guard(seeded: Shop) -> None:
    seeded.audience(holdout=0.99)
    plan = make_plan(seeded.env, "cart_email")
    assert plan.add_count < 10
    apply_plan(seeded.env, plan.plan_id)
    assert "lan@khach.example" in seeded.addresses()


def test_a_test_send_goes_to_seeds_alone_and_leaves_the_plan_open(seeded: Shop) -> None:
    seeded.audience(guards={"max_size": 5, "max_input_age_hours": 10**6})
    plan = make_plan(seeded.env, "cart_email")
    assert plan.is_blocked
    tried = apply_plan(seeded.env, plan.plan_id, only_seeds=True)
    assert (tried.status, tried.receipts) == ("blocked", {"acknowledged": 1})
    assert seeded.addresses() == {"lan@khach.example"}
    done = apply_plan(seeded.env, plan.plan_id, accept=["max_size"])
    assert (done.status, done.receipts) == ("applied", {"acknowledged": 11})
    assert len(seeded.effects("tag_added")) == len(seeded.addresses()) == 11


def test_a_whole_list_has_no_test_send(seeded: Shop) -> None:
    with pytest.raises(KhachError, match="no test send"):
        apply_plan(seeded.env, make_plan(seeded.env, "cart_file").plan_id, only_seeds=True)
