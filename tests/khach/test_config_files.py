"""Configuration mistakes are named with file, line, key and what would be right."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from ingestion.registry import MODULES, source_spec
from khach.config_files import parse, read_yaml
from khach.config_mistakes import mistakes, suggest
from khach.configuration import (
    check_configuration,
    resolve_as_of,
    write_dbt_vars,
)
from khach.environment import Environment, load_environment
from khach.errors import ConfigError
from khach.settings import Settings, load_settings

GOOD = "business_time_zone: Europe/London\nthresholds:\n  session_minutes: 20\n"


def _refused(env: Environment, text: str | bytes) -> ConfigError:
    data = text.encode() if isinstance(text, str) else text
    (env.config / "settings.yml").write_bytes(data)
    with pytest.raises(ConfigError) as refused:
        load_settings(env)
    return refused.value


def test_defaults_fill_what_the_file_leaves_out(env: Environment) -> None:
    (env.config / "settings.yml").write_text(GOOD)
    found = load_settings(env)
    assert found.business_time_zone == "Europe/London"
    assert found.thresholds.session_minutes == 20
    assert found.thresholds.loyal_order_days == Settings().thresholds.loyal_order_days


def test_models_learn_what_share_each_audience_file_holds_out(env: Environment) -> None:
    (env.config / "settings.yml").write_text(GOOD + "measurement: {lift_window_days: [5]}\n")
    (env.config / "sources.yml").write_text("sources: {}\n")
    (env.config / "audiences").mkdir()
    for name, share in (("vip", "holdout: 0.2\n"), ("all", "")):
        (env.config / "audiences" / f"{name}.yml").write_text(f"name: {name}\n{share}")
    written = write_dbt_vars(env)
    assert written["holdout_shares"] == {"vip": 0.2}
    assert written["measurement"]["lift_window_days"] == [5]
    assert written["attribution"] == {"window_days": 30, "include": []}


@pytest.mark.parametrize(
    ("text", "line", "key", "hint"),
    [
        ("as_of: now\nbusiness_timezone: UTC\n", 2, "business_timezone", "business_time_zone"),
        ("thresholds:\n  sesion_minutes: 3\n", 2, "thresholds.sesion_minutes", "session_minutes"),
        ("business_time_zone: Hanoi\n", 1, "business_time_zone", "IANA"),
        ("\n\nmargin_rate: 1.5\n", 3, "margin_rate", "less than or equal"),
        ("as_of: soon\n", 1, "as_of", "fix: a date such as 2026-06-30 or known: now, latest"),
        ("thresholds:\n  session_minutes: 1.5\n", 2, "thresholds.session_minutes", "such as 3"),
        ("thresholds: 3\n", 1, "thresholds", "fix: keys and values"),
        ("reporting_currency: vnd\n", 1, "reporting_currency", "fix: such as VND"),
        ("unit_costs: {emial: 3}\n", 1, "unit_costs", "did you mean email?"),
        ("attribution: {include: [clicks]}\n", 1, "attribution.include", "sends"),
        ("measurement:\n  lift_window_days: [0]\n", 2, "measurement.lift_window_days", "greater"),
        ("as_of: now\nas_of: latest\n", 2, "as_of", "keep one"),
    ],
)
def test_a_mistake_is_named_with_its_line_and_a_remedy(
    env: Environment, text: str, line: int, key: str, hint: str
) -> None:
    problem = _refused(env, text)
    assert problem.file == str(env.config / "settings.yml")
    assert problem.line == line
    assert (problem.key or "").startswith(key)
    assert problem.fix
    assert hint in f"{problem.message} fix: {problem.fix}"
    assert problem.exit_code == 2


def test_the_mistakes_of_several_files_are_told_at_once(env: Environment) -> None:
    (env.config / "settings.yml").write_text(
        "margin_rate: 40\nthresholds:\n  sesion_minutes: 3\n  trait_units: 0\n"
    )
    (env.config / "sources.yml").write_text(
        "sources:\n  a: {kind: fils}\n  b: {kind: files, tabels: {}}\n  c: {kind: files}\n"
    )
    told = [
        (Path(problem.file or "").name, problem.line, problem.key)
        for problem in check_configuration(env)
    ]
    # `tabels` is the missing `tables` of b, told once; the order of trust waits for sources.yml.
    assert sorted(told) == [
        ("settings.yml", 1, "margin_rate"),
        ("settings.yml", 3, "thresholds.sesion_minutes"),
        ("settings.yml", 4, "thresholds.trait_units"),
        ("sources.yml", 2, "sources.a.kind"),
        ("sources.yml", 3, "sources.b.area"),
        ("sources.yml", 3, "sources.b.folder"),
        ("sources.yml", 3, "sources.b.tabels"),
        ("sources.yml", 4, "sources.c.area"),
        ("sources.yml", 4, "sources.c.folder"),
        ("sources.yml", 4, "sources.c.tables"),
    ]


def test_broken_yaml_and_bytes_that_are_no_text_are_named(env: Environment) -> None:
    assert _refused(env, "a: [1,\nb: 2\n").line is not None
    assert "UTF-8" in _refused(env, b"a: \xff\n").message


def test_a_date_that_no_calendar_has_is_named_with_its_line(env: Environment) -> None:
    refused = _refused(env, "margin_rate: 0.4\nas_of: 2026-13-45\n")
    assert (refused.file, refused.line) == (str(env.config / "settings.yml"), 2)
    assert "date" in refused.message


def test_a_mistake_that_several_checks_meet_is_told_once(env: Environment) -> None:
    (env.config / "settings.yml").write_text("margin_rate: 40\n")
    (env.config / "sources.yml").write_text("sources: {}\n")
    assert [problem.key for problem in check_configuration(env)] == ["margin_rate"]


def test_no_day_to_come_is_built_whoever_asks_for_it(
    env: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime(2026, 6, 30, 18, tzinfo=UTC)  # in Ha Noi it is the first of July
    monkeypatch.setattr("khach.clock.now", lambda _: now)
    (env.config / "sources.yml").write_text("sources: {}\n")
    for day, is_refused in (("2026-07-01", False), ("2026-07-02", True)):
        (env.config / "settings.yml").write_text(f"as_of: {day}\n")
        problems = check_configuration(env)
        assert [problem.file for problem in problems] == (
            [str(env.config / "settings.yml")] if is_refused else []
        )
    settings = Settings()
    with pytest.raises(ConfigError, match="2030-01-01 is a day to come; it is 2026-07-01 now"):
        resolve_as_of(env, settings, date(2030, 1, 1))
    # One device whose clock is wrong carries nobody there either.
    monkeypatch.setattr("ingestion.vars.newest_event", lambda _: datetime(2030, 1, 1))  # noqa: DTZ001
    latest = resolve_as_of(env, settings.model_copy(update={"as_of": "latest"}))
    assert latest == datetime(2026, 7, 1, 17, tzinfo=UTC)


def test_an_absent_file_says_how_to_get_one(env: Environment) -> None:
    with pytest.raises(ConfigError) as refused:
        load_settings(env)
    assert "khach init" in str(refused.value)


def test_a_file_that_is_a_list_is_refused_not_crashed_on(env: Environment) -> None:
    assert _refused(env, "- a\n- b\n").exit_code == 2


def test_the_line_of_a_list_item_is_known(tmp_path: Path) -> None:
    path = tmp_path / "x.yml"
    path.write_text("a:\n  - one\n  - two\n")
    assert read_yaml(path).line(("a", 1)) == 3
    assert read_yaml(path).line(("a", 7)) == 1


def test_suggestions_are_near_words_or_the_whole_list() -> None:
    assert suggest("emial", ["email", "phone"]) == "did you mean email?"
    assert suggest("zzz", ["email", "phone"]) == "known: email, phone"


def test_an_unknown_environment_is_refused(env: Environment, monkeypatch) -> None:
    monkeypatch.setenv("KHACH_ENV", "production")
    with pytest.raises(ConfigError, match="not an environment"):
        load_environment()


def test_parse_names_a_missing_key(tmp_path: Path) -> None:
    class Needs(BaseModel):
        name: str

    path = tmp_path / "x.yml"
    path.write_text("other: 1\n")
    with pytest.raises(ConfigError, match="missing key 'name'"):
        parse(read_yaml(path), Needs)


ODD = (None, True, 3, -3, 10**30, 1.5, float("inf"), "", "x", "Ä b", date(2026, 6, 30), [], [3],
       ["x"], {}, {"x": 3}, {3: "x"})  # fmt: skip


def _sections(section: type[BaseModel] = BaseModel) -> Iterator[type[BaseModel]]:
    for inner in section.__subclasses__():
        if inner.__module__.split(".")[0] in ("khach", "activation", "ingestion"):
            yield inner
        yield from _sections(inner)


def test_whatever_is_wrong_has_a_remedy(env: Environment) -> None:
    """Every key of every section of every file, with every kind of value."""
    check_configuration(env)  # loads the rooms' sections
    for kind in MODULES:
        source_spec(kind)
    bare = set()
    sections = {section for section in _sections() if section.model_fields}
    for section in sections:
        contents = [{field.alias or key: odd} for key, field in section.model_fields.items()
                    for odd in ODD]  # fmt: skip
        for content in [*contents, *ODD]:
            try:
                section.model_validate(content)
            except ValidationError as problem:
                found = mistakes(section, problem, content)
                bare |= {(section.__name__, place, told) for told, place, fix in found if not fix}
    assert len(sections) > 30
    assert not bare
