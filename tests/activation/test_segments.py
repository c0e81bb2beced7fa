"""Every flag's rule, as dbt executes it, with who is in and who is out; the retailer's own rows."""

import csv
import re
import shutil
from typing import Any

import pytest
import yaml
from activation_shop import AUDIENCE, Shop, people

from activation.audiences import check_audiences
from activation.rules import compile_rule, evaluate_example
from activation.segments import OPEN_KINDS, check_segments, rule_columns
from khach.configuration import check_configuration, write_dbt_vars
from khach.environment import PROJECT, Environment
from khach.errors import ConfigError
from khach.settings import Thresholds

OURS = Environment("dev", PROJECT, PROJECT, PROJECT, PROJECT)
with (PROJECT / "dbt_project" / "seeds" / "segment_definitions.csv").open(encoding="utf-8") as seed:
    ROWS = {row["segment_id"]: row for row in csv.DictReader(seed)}
FLAGS = {name for name, row in ROWS.items() if not row["segment_kind"]}
DISCOUNTED = {"discount_order_count": 1, "dialogue_count": 0, "service_count": 0}
# flag: customers in, customers out; a value that is not said is NULL.
EXAMPLES: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]] = {
    "loyal_by_frequency": ([{"order_day_count": 3}], [{"order_day_count": 2}]),
    "normal_by_frequency": (
        [{"order_day_count": 1}, {"order_day_count": 2}],
        [{"order_day_count": 0}, {"order_day_count": 3}],
    ),
    "high_spender": ([{"m_score": 5}], [{"m_score": 4}, {}]),
    "low_spender": ([{"m_score": 1}], [{"m_score": 2}, {}]),
    "first_time_buyer": ([{"order_day_count": 1}], [{"order_day_count": 2}]),
    "repeat_browser": (
        [{"recent_session_count": 3}, {"recent_session_count": 3, "days_since_order": 31}],
        [{"recent_session_count": 2}, {"recent_session_count": 3, "days_since_order": 30}],
    ),
    "cart_abandoner": (
        [{"days_since_abandoned_cart": 3, "orders_since_cart": 0}],
        [
            {"days_since_abandoned_cart": 4, "orders_since_cart": 0},
            {"days_since_abandoned_cart": 3, "orders_since_cart": 1},
            {"orders_since_cart": 0},
        ],
    ),
    "visited_store_without_purchase": (
        [{"days_since_store_visit": 30, "has_bought_since_store_visit": False}],
        [
            {"days_since_store_visit": 31, "has_bought_since_store_visit": False},
            {"days_since_store_visit": 30, "has_bought_since_store_visit": True},
            {"has_bought_since_store_visit": False},
        ],
    ),
    "lapsed": (
        [{"lifecycle_stage": "lapsed"}, {"lifecycle_stage": "one_and_done"}],
        [{"lifecycle_stage": "at_risk"}],
    ),
    "won_back": ([{"days_since_won_back": 29}], [{"days_since_won_back": 30}, {}]),
    "discount_hunter": (
        [{"order_count": 2, "discount_order_share": 0.5}],
        [
            {"order_count": 1, "discount_order_share": 1.0},
            {"order_count": 9, "discount_order_share": 0.49},
        ],
    ),
    "email_engaged": (
        [{"recent_email_count": 3, "email_read_share": 0.5}],
        [
            {"recent_email_count": 2, "email_read_share": 1},
            {"recent_email_count": 9, "email_read_share": 0.49},
            {"recent_email_count": 0},
        ],
    ),
    "email_fatigued": (
        [{"recent_email_count": 3, "email_read_share": 0.1}],
        [
            {"recent_email_count": 2, "email_read_share": 0},
            {"recent_email_count": 9, "email_read_share": 0.11},
            {"recent_email_count": 0},
        ],
    ),
    "referrer": ([{"referral_count": 1}], [{"referral_count": 0}]),
    "birthday_this_month": (
        [{"birth_date": "1990-04-30", "as_of_on": "2026-04-01"}],
        [{"birth_date": "1990-03-31", "as_of_on": "2026-04-01"}, {"as_of_on": "2026-04-01"}],
    ),
    "trend_seeker": (
        [{"judged_units": 3, "new_product_share": 0.5}],
        [
            {"judged_units": 2, "new_product_share": 1.0},
            {"judged_units": 9, "new_product_share": 0.49},
        ],
    ),
    "quality_seeker": (
        [{"judged_units": 3, "high_price_share": 0.5, "return_share": 0.1}],
        [
            {"judged_units": 2, "high_price_share": 1.0, "return_share": 0.0},
            {"judged_units": 3, "high_price_share": 0.49, "return_share": 0.0},
            {"judged_units": 3, "high_price_share": 1.0, "return_share": 0.11},
            {"judged_units": 3, "return_share": 0.0},
        ],
    ),
    "price_sensitive": (
        [{"judged_units": 3, "discount_unit_share": 0.5}],
        [
            {"judged_units": 2, "discount_unit_share": 1.0},
            {"judged_units": 9, "discount_unit_share": 0.49},
        ],
    ),
    "relationship_economic": (
        [DISCOUNTED],
        [
            DISCOUNTED | {"discount_order_count": 0},
            DISCOUNTED | {"dialogue_count": 1},
            DISCOUNTED | {"service_count": 1},
            DISCOUNTED | {"loyalty_tier": "gold"},
            DISCOUNTED | {"loyalty_enrolled_at": "2026-01-01"},
        ],
    ),
    "relationship_social": ([{"dialogue_count": 1}], [{"dialogue_count": 0}]),
    "relationship_structural": (
        [{"service_count": 1}, {"loyalty_tier": "gold"}, {"loyalty_enrolled_at": "2026-01-01"}],
        [{"service_count": 0}],
    ),
}


@pytest.mark.parametrize("flag", sorted(FLAGS))
def test_each_flag_says_who_is_in_and_who_is_out(flag: str) -> None:
    columns = rule_columns(OURS)
    rule = compile_rule(ROWS[flag]["rule"], columns)
    ins, outs = EXAMPLES[flag]
    limits = Thresholds().model_dump()
    for expected, examples in ((True, ins), (False, outs)):
        for example in examples:
            assert evaluate_example(rule, columns, limits | example) == expected, example
    named = set(re.findall(r"\w+", ROWS[flag]["rule"])) & set(limits)
    # Whoever reads the description knows which keys of settings.yml move the segment.
    assert named <= set(re.findall(r"\w+", ROWS[flag]["description"])) | {"trait_units"}


def test_each_segment_speaks_both_languages_and_its_rule_is_sql() -> None:
    assert set(EXAMPLES) == FLAGS
    columns = rule_columns(OURS)
    for name, row in ROWS.items():
        assert all(row[key].strip() for key in row if key != "segment_kind"), name
        if row["segment_kind"]:
            assert name.startswith(f"{row['segment_kind']}_")
        else:
            assert not name.startswith(tuple(f"{kind}_" for kind in OPEN_KINDS)), name

    compile_rule(" or ".join(f"({row['rule']})" for row in ROWS.values()), columns)


def test_defaults_and_kinds_are_the_same_in_sql() -> None:
    macros = PROJECT / "dbt_project" / "macros"
    text = (macros / "settings.sql").read_text(encoding="utf-8")
    body = text[text.index("macro thresholds()") :].split("} -%}")[0]
    found = {name: float(value) for name, value in re.findall(r"'(\w+)': ([0-9.]+)", body)}
    assert found == {name: float(value) for name, value in Thresholds().model_dump().items()}
    kinds = (macros / "segments.sql").read_text(encoding="utf-8")
    open_kinds = re.findall(r"'(\w+)': {'column': '\w+', 'open'", kinds)
    assert (*open_kinds, "answer") == OPEN_KINDS


def test_a_threshold_of_settings_yml_reaches_dbt(bare_shop: Shop) -> None:
    settings = "minimum_age: 16\nthresholds: {won_back_days: 7, preference_share: 0.25}\n"
    (bare_shop.env.config / "settings.yml").write_text(settings)
    (bare_shop.env.config / "sources.yml").write_text("sources: {}\n")
    written = write_dbt_vars(bare_shop.env)["thresholds"]
    assert written == Thresholds().model_dump() | {"won_back_days": 7, "preference_share": 0.25}


HEAD = "segment_id,segment_name,label_vi,kind,description,rule,owner\n"
BIG = 'big,Big,Lớn,behavioural,Buys much,"order_count > 9 and referral_count > 0",crm\n'


def test_the_retailers_segments_are_flags_that_audiences_may_ask_for(bare_shop: Shop) -> None:
    (bare_shop.env.config / "segments.csv").write_text(HEAD + BIG, encoding="utf-8-sig")
    assert [segment.segment_id for segment in check_segments(bare_shop.env)] == ["big"]
    bare_shop.audience(
        AUDIENCE[: AUDIENCE.index("examples:")],
        where="in_segment('big') and in_segment('gender_female') and order_count > 1",
        examples=[
            {"order_count": 2, "segments": ["big", "gender_female"], "in": True},
            {"order_count": 2, "segments": ["big"], "in": False},
        ],
    )
    assert check_audiences(bare_shop.env)[0].example_count == 2
    path = bare_shop.env.config / "audiences" / "cart_abandoners.yml"
    changed = yaml.safe_load(path.read_text()) | {"examples": [{"segments": ["vip"], "in": True}]}
    path.write_text(yaml.safe_dump(changed))
    with pytest.raises(ConfigError, match="segments that the rule asks for"):
        check_audiences(bare_shop.env)


def _mistakes(env: Environment) -> list[ConfigError]:
    with pytest.raises(ConfigError) as caught:
        check_segments(env)
    return caught.value.each()


@pytest.mark.parametrize(
    ("rows", "message", "where", "fix"),
    [
        (BIG + BIG.replace("referral_count", "referal_count").replace("big,", "b2,"),
         "unknown column 'referal_count'", (3, "rule"), "referral_count"),
        (BIG.replace("order_count > 9", "won_back_day > 1"),
         "unknown column 'won_back_day'", (2, "rule"), "won_back_days"),
        (BIG.replace("order_count > 9", "in_segment('vip')"), "another segment", (2, "rule"), ""),
        (BIG.replace("order_count > 9 and ", "random() > 9 and "), "not allowed", (2, "rule"), ""),
        (BIG + BIG, "stands twice", (3, "segment_id"), ""),
        (BIG.replace("big,", "province_x,"), "exclusive kind", (2, "segment_id"), ""),
        (BIG.replace("big,", "Big one,"), "match pattern", (2, "segment_id"), "such as"),
        (BIG.replace("behavioural", "behavioral"), "'behavioural'", (2, "kind"),
         "did you mean behavioural"),
        (BIG.replace("Buys much", ""), "at least 1 character", (2, "description"), "text"),
        (BIG.replace("crm", "crm,more"), "8 values for 7 columns", (2, ""), "double quotes"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_file_line_and_key(
    bare_shop: Shop, rows: str, message: str, where: tuple[int, str], fix: str
) -> None:
    line, key = where
    path = bare_shop.env.config / "segments.csv"
    path.write_text(HEAD + rows, encoding="utf-8")
    (error,) = _mistakes(bare_shop.env)
    assert message in error.message
    assert (error.file, error.line, error.key or "") == (str(path), line, key)
    assert fix in (error.fix or "")
    assert any(problem.line == line for problem in check_configuration(bare_shop.env))


def test_every_mistake_of_the_file_is_told_at_once(bare_shop: Shop) -> None:
    path = bare_shop.env.config / "segments.csv"
    rows = [
        BIG,
        BIG.replace("behavioural", "behavioral").replace("order_count", "ordr_count"),
        BIG.replace("crm", "crm,more"),
        BIG.replace("big,", "gender_big,").replace("Buys much", ""),
    ]
    path.write_text(HEAD + "".join(rows), encoding="utf-8")
    assert [(problem.line, problem.key) for problem in _mistakes(bare_shop.env)] == [
        (3, "segment_id"), (3, "kind"), (3, "rule"), (4, None), (5, "segment_id"),
        (5, "description"),
    ]  # fmt: skip
    assert all(problem.fix for problem in _mistakes(bare_shop.env))
    told = check_configuration(bare_shop.env)
    assert sum(problem.file == str(path) for problem in told) == len(_mistakes(bare_shop.env))


@pytest.mark.parametrize(
    ("header", "keys", "hint"),
    [
        (HEAD.replace(",", ";"), [None], "by commas, not by semicolons"),
        (HEAD.replace(",", "\t"), [None], "by commas, not by tabs"),
        (HEAD.replace("label_vi", "label"), ["label", "label_vi"], "label_vi"),
        ("", [None], HEAD.strip()),
    ],
)
def test_a_header_is_told_with_what_it_should_be(
    bare_shop: Shop, header: str, keys: list[str | None], hint: str
) -> None:
    (bare_shop.env.config / "segments.csv").write_text(header + "a\n", encoding="utf-8")
    told = _mistakes(bare_shop.env)
    assert [(problem.line, problem.key) for problem in told] == [(1, key) for key in keys]
    assert all(hint in (problem.fix or "") for problem in told)


def test_an_unknown_segment_is_named_with_suggestions(bare_shop: Shop) -> None:
    def ask(segment: str) -> None:
        bare_shop.audience(
            AUDIENCE[: AUDIENCE.index("examples:")], where=f"in_segment('{segment}')"
        )
        check_audiences(bare_shop.env)

    with pytest.raises(ConfigError, match="there is no segment 'vipp'") as caught:
        ask("vipp")
    assert "did you mean vip" in (caught.value.fix or "")
    ask("occupation_nurse")  # nothing is published yet: nobody can tell
    wards = bare_shop.env.dbt_project / "seeds" / "wards.csv"
    shutil.copy(PROJECT / "dbt_project" / "seeds" / "wards.csv", wards)
    bare_shop.publish(people(1))
    ask("province_ha_noi")  # a province of Viet Nam, whoever lives there
    ask("occupation_cook")  # somebody was one, though nobody is
    with pytest.raises(ConfigError) as caught:
        ask("province_hanoi")
    assert "did you mean province_ha_noi" in (caught.value.fix or "")
