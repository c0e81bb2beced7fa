"""Plans, guards and the file drop; no server is needed."""

import csv
import json
from dataclasses import replace
from datetime import UTC, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from activation_shop import AS_OF, AUDIENCE, Person, Shop, people

from activation import apply as apply_module
from activation import plan as plan_module
from activation.apply import apply_plan, receipts
from activation.plan import make_plan, plan_rows
from khach.errors import ConfigError, GateError, KhachError
from khach.publishing import rollback


def drop(shop: Shop) -> tuple[list[list[str]], dict[str, object]]:
    folder = Path(shop.variables["CART_DROP_FOLDER"])
    data = (folder / "cart_file.csv").read_bytes()
    manifest = json.loads((folder / "cart_file.manifest.json").read_text())
    assert manifest["sha256"] == sha256(data).hexdigest()
    assert sorted(path.name for path in folder.iterdir()) == [
        "cart_file.csv",
        "cart_file.manifest.json",
    ]
    return list(csv.reader(data.decode().splitlines())), manifest


def run(shop: Shop) -> None:
    apply_plan(shop.env, make_plan(shop.env, "cart_file").plan_id)


def test_the_file_is_the_whole_list_with_a_manifest_and_a_receipt_per_change(
    bare_shop: Shop,
) -> None:
    persons = people(3)
    bare_shop.publish(persons)
    run(bare_shop)
    bare_shop.publish([*persons[1:], Person("c0009", "nine@example.vn", salutation='anh "Năm", 9')])
    plan = make_plan(bare_shop.env, "cart_file")
    apply_plan(bare_shop.env, plan.plan_id)
    rows, manifest = drop(bare_shop)
    assert rows == [
        ["customer_id", "identifier", "salutation_name"],
        ["c0001", "person0001@example.vn", "chị Lan"],
        ["c0002", "person0002@example.vn", "chị Lan"],
        ["c0009", "nine@example.vn", 'anh "Năm", 9'],
    ]
    assert (manifest["rows"], manifest["plan_id"]) == (3, plan.plan_id)
    acted = {(r["action"], r["customer_id"]) for r in receipts(bare_shop.env, plan.plan_id)}
    assert acted == {("remove", "c0000"), ("add", "c0009")}


def test_an_unchanged_list_is_not_written_again(bare_shop: Shop) -> None:
    bare_shop.publish(people(3))
    run(bare_shop)
    written = Path(bare_shop.variables["CART_DROP_FOLDER"], "cart_file.csv").stat().st_mtime_ns
    run(bare_shop)
    assert Path(bare_shop.variables["CART_DROP_FOLDER"], "cart_file.csv").stat().st_mtime_ns == (
        written
    )


def test_a_folder_that_cannot_be_written_fails_and_the_rows_are_planned_again(
    bare_shop: Shop,
) -> None:
    Path(bare_shop.variables["CART_DROP_FOLDER"]).write_text("a file stands in the way")
    bare_shop.publish(people(2))
    with pytest.raises(KhachError, match="cannot be written"):
        run(bare_shop)
    Path(bare_shop.variables["CART_DROP_FOLDER"]).unlink()
    run(bare_shop)
    assert len(drop(bare_shop)[0]) == 3


@pytest.mark.parametrize("crowd", [0, 3])
def test_an_empty_or_halved_source_never_empties_an_audience(bare_shop: Shop, crowd: int) -> None:
    bare_shop.publish(people(8))
    run(bare_shop)
    bare_shop.publish(people(crowd))
    plan = make_plan(bare_shop.env, "cart_file")
    assert plan.is_blocked and "max_removal_share" in str(plan.blocked_by)
    with pytest.raises(GateError) as caught:
        apply_plan(bare_shop.env, plan.plan_id)
    assert caught.value.exit_code == 3
    assert len(drop(bare_shop)[0]) == 9


def guards_of(shop: Shop) -> set[str]:
    return {guard.guard for guard in make_plan(shop.env, "cart_file").tripped}


def test_red_gates_stale_input_and_a_first_run_hold_a_plan(bare_shop: Shop) -> None:
    bare_shop.publish(people(2))
    assert guards_of(bare_shop) == set()
    in_prod = replace(bare_shop, env=replace(bare_shop.env, name="prod"))
    assert guards_of(in_prod) == {"first_run"}
    bare_shop.audience(guards={"max_input_age_hours": 1})
    assert guards_of(bare_shop) == {"stale_input"}
    bare_shop.audience()
    bare_shop.publish(people(2), is_green=False)
    assert guards_of(bare_shop) == {"gates"}


def test_marts_older_than_those_acted_on_are_not_acted_on(bare_shop: Shop) -> None:
    withdrawn = [*people(2), Person("c0009", "nine@example.vn", consent=False)]
    bare_shop.publish([*people(2), Person("c0009", "nine@example.vn")])
    earlier = bare_shop.env.current.readlink()
    bare_shop.publish(withdrawn)
    run(bare_shop)
    rollback(bare_shop.env)
    assert bare_shop.env.current.readlink() == earlier
    plan = make_plan(bare_shop.env, "cart_file")
    assert plan.blocked_by == "stale_input"
    with pytest.raises(GateError, match="put back to marts older"):
        apply_plan(bare_shop.env, plan.plan_id)
    assert len(drop(bare_shop)[0]) == 3
    bare_shop.publish(withdrawn)
    run(bare_shop)
    assert len(drop(bare_shop)[0]) == 3


def test_a_plan_that_was_kept_too_long_is_held_when_it_is_applied(
    bare_shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare_shop.audience(guards={"max_input_age_hours": 48})
    bare_shop.publish(people(2))
    clock = AS_OF.replace(tzinfo=UTC) + timedelta(hours=1)
    for module in (plan_module, apply_module):
        monkeypatch.setattr(module, "now", lambda _env: clock)
    plan = make_plan(bare_shop.env, "cart_file")
    assert not plan.is_blocked
    clock += timedelta(hours=48)
    with pytest.raises(GateError, match=r"49\.0 hours old"):
        apply_plan(bare_shop.env, plan.plan_id)
    apply_plan(bare_shop.env, plan.plan_id, ["stale_input"])
    (released,) = bare_shop.state("select accepted_by from sync_plans where started_at is not null")
    assert released[0].endswith(": stale_input")


def test_limits_on_size_and_change_hold_a_plan(bare_shop: Shop) -> None:
    loose = {"max_input_age_hours": 10**6, "max_removal_share": 1}
    bare_shop.publish(people(4))
    bare_shop.audience(guards={**loose, "max_size": 3})
    assert guards_of(bare_shop) == {"max_size"}
    bare_shop.audience(guards={**loose, "min_size": 5})
    assert guards_of(bare_shop) == {"min_size"}
    bare_shop.audience(guards=loose)
    run(bare_shop)
    bare_shop.publish(people(7))
    assert guards_of(bare_shop) == {"max_change_share"}
    bare_shop.publish(people(1))
    bare_shop.audience(guards={**loose, "max_removals": 2, "max_change_share": 1})
    assert guards_of(bare_shop) == {"max_removals"}


def test_reasons_are_intervals_and_change_only_when_the_reason_does(bare_shop: Shop) -> None:
    persons = [*people(2), Person("c0009", "nine@example.vn", consent=False)]
    bare_shop.publish(persons)
    run(bare_shop)
    bare_shop.publish(persons, day=1)
    run(bare_shop)
    bare_shop.publish([persons[0], replace(persons[1], orders_since=1), persons[2]], day=2)
    run(bare_shop)
    assert bare_shop.state(
        "select customer_id, reason_code, day(valid_from), day(valid_to) "
        "from audience_membership order by 1"
    ) == [
        ("c0000", "member", 28, None),
        ("c0001", "member", 28, 30),
        ("c0009", "consent_withdrawn", 28, None),
    ]
    bare_shop.publish(persons, day=2)
    run(bare_shop)
    assert bare_shop.state(
        "select count(*) from audience_membership where valid_from = valid_to"
    ) == [(0,)]
    assert bare_shop.state(
        "select day(valid_from), day(valid_to) from audience_membership "
        "where customer_id = 'c0001' order by 1"
    ) == [(28, 30), (30, None)]
    bare_shop.publish([persons[0], replace(persons[1], consent=False), persons[2]], day=2)
    run(bare_shop)
    assert bare_shop.state(
        "select reason_code, day(valid_from), day(valid_to) from audience_membership "
        "where customer_id = 'c0001' order by 2"
    ) == [("member", 28, 30), ("consent_withdrawn", 30, None)]


def test_holdouts_are_recorded_at_entry_and_never_in_a_plan_row(bare_shop: Shop) -> None:
    bare_shop.audience(holdout=0.4)
    bare_shop.publish(people(40))
    run(bare_shop)
    recorded = dict(bare_shop.state('select customer_id, "group" from holdouts'))
    held_out = {customer for customer, group in recorded.items() if group == "holdout"}
    assert len(recorded) == 40 and 5 < len(held_out) < 30
    sent = {row[0] for row in bare_shop.state("select customer_id from sync_receipts")}
    assert sent == set(recorded) - held_out


def test_plan_rows_carry_payload_and_consent_for_the_exit_gate(bare_shop: Shop) -> None:
    bare_shop.publish(people(2))
    plan = make_plan(bare_shop.env, "cart_file")
    rows = plan_rows(bare_shop.env, plan.plan_id).to_pylist()
    assert [(r["row_number"], r["action"], r["is_granted"]) for r in rows] == [
        (1, "add", True),
        (2, "add", True),
    ]
    assert {r["identifier"] for r in rows} == {"person0000@example.vn", "person0001@example.vn"}


def test_a_new_plan_supersedes_the_one_before(bare_shop: Shop) -> None:
    bare_shop.publish(people(2))
    first = make_plan(bare_shop.env, "cart_file")
    make_plan(bare_shop.env, "cart_file")
    with pytest.raises(KhachError, match="is superseded"):
        apply_plan(bare_shop.env, first.plan_id)


def test_add_only_is_refused_where_the_channel_replaces_the_whole_list(bare_shop: Shop) -> None:
    bare_shop.audience(AUDIENCE.replace("format: csv}", "format: csv}\n    mode: add_only"))
    with pytest.raises(ConfigError, match="cannot do mode add_only"):
        make_plan(bare_shop.env, "cart_file")
