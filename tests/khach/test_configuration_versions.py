"""What runs remember of the configuration: versions, and which keys changed from what to what."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from khach.configuration_changes import MOST_KEYS, summary
from khach.configuration_versions import record_versions
from khach.environment import Environment
from khach.settings import Thresholds
from khach.state import open_state

NOW = datetime(2026, 6, 30, 19, tzinfo=UTC)
STAFF = "seeds:\n  - {name: lan, agreed_on: 2026-01-05, email: lan@shop.example}\n"
TARGETS = "kpi,grain,period_start,slice,slice_value,target\n"
SEGMENTS = "segment_id,segment_name,label_vi,kind,description,rule,owner\n"


def _recorded(env: Environment, columns: str) -> list[tuple]:
    with open_state(env) as state:
        return state.execute(
            f"select {columns} from configuration_versions order by first_seen_at"
        ).fetchall()


def test_a_file_that_goes_back_to_an_earlier_version_is_a_change_too(env: Environment) -> None:
    settings = env.config / "settings.yml"
    for margin in ("0.4", "0.5", "0.5", "0.4"):
        settings.write_text(f"margin_rate: {margin}\n", encoding="utf-8")
        record_versions(env, NOW)
    assert [text.split()[-1] for (text,) in _recorded(env, "content")] == ["0.4", "0.5", "0.4"]
    assert _recorded(env, "summary") == [
        (None,), ("margin_rate 0.4 -> 0.5",), ("margin_rate 0.5 -> 0.4",),
    ]  # fmt: skip


def test_a_version_stands_at_the_present_of_the_run_that_met_it(env: Environment) -> None:
    (env.config / "settings.yml").write_text("margin_rate: 0.4\n", encoding="utf-8")
    record_versions(env, NOW)
    ((present, on_the_wall),) = _recorded(env, "as_of, first_seen_at")
    assert present == NOW.replace(tzinfo=None)
    assert on_the_wall > present


@pytest.mark.parametrize(
    ("name", "before", "after", "told"),
    [
        ("settings.yml", "thresholds: {session_minutes: 30}\n",
         "thresholds: {loyal_order_days: 4}\n", "thresholds.loyal_order_days 3 -> 4"),
        ("settings.yml", "as_of: now\n", "as_of: now  # as ever\n",
         "no value (comments or order only)"),
        ("settings.yml", "measurement: {lift_window_days: [3]}\n", "unit_costs: {sms: 800}\n",
         "measurement.lift_window_days [3] -> [3, 7]; unit_costs.sms 800 is new"),
        ("settings.yml", "publish: {postgres_url_env: A}\n", "publish: {postgres_url_env: B}\n",
         "publish changed"),
        ("policy.yml", "{}\n", STAFF, "seeds changed"),
        ("policy.yml", "caps: [{channels: [sms], at_most: 3}]\n",
         "caps: [{channels: [sms], at_most: 2}]\n", "caps.0.at_most 3 -> 2"),
        ("policy.yml", "a: [\n", "{}\n", "one of the two versions cannot be read"),
        ("targets.csv", TARGETS + "orders,month,2026-06-01,all,all,1500\n",
         TARGETS + "orders,month,2026-06-01,all,all,1600\n",
         "orders.month.2026-06-01.all.all.target 1500 -> 1600"),
        ("segments.csv", SEGMENTS + "gold,Gold,Vàng,behavioural,G,tier = 1,Lan\n",
         SEGMENTS + "gold,Gold,Vàng,behavioural,G,tier = 2,Mai\n",
         "gold.rule tier = 1 -> tier = 2; gold changed"),
        ("audiences/vip.yml", "where: email = 'lan@shop.example'\n", "where: true\n",
         "where changed"),
    ],
)  # fmt: skip
def test_the_keys_that_changed_are_told(name: str, before: str, after: str, told: str) -> None:
    assert summary(name, before, after) == told


def test_a_whole_new_file_is_told_in_a_line_of_bounded_length() -> None:
    every = "".join(f"  {name}: 5\n" for name in Thresholds.model_fields if "share" not in name)
    told = summary("settings.yml", "{}\n", f"thresholds:\n{every}").split("; ")
    assert len(told) == MOST_KEYS + 1
    assert told[-1].endswith(" more")
    long = SEGMENTS + "a,A,A,behavioural,A," + "x" * 5_000 + ",crm\n"
    assert len(summary("segments.csv", SEGMENTS, long)) < 200


@given(st.text("abc0123456789@. ", min_size=4), st.sampled_from(["policy.yml", "audiences/a.yml"]))
def test_no_address_gets_into_the_line(value: str, name: str) -> None:
    text = f'seeds:\n  - {{name: lan, email: "{value}@x", phone: "{value}1"}}\n'
    assert summary(name, "{}\n", text) == "seeds changed"
