"""Each platform's forms: golden vectors with their sources, and the rule said again in Python."""

import hashlib
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import duckdb
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from activation.channels.formats import google, key_parts, meta, tiktok
from khach.contacts import parse_phone

RULES = {"meta": meta, "google": google, "tiktok": tiktok}
GOLDEN = Path(__file__).parent / "golden"
CONNECTION = duckdb.connect()
# Letters whose lower case is one letter everywhere, Vietnamese ones first; blanks of many kinds.
LETTERS = "aăâbcdđeêghiklmnoôơpqrstuưvxyắặệộựỹAĂÂĐÊÔƠƯẮẶỆỘỰỸÉéÑñ정"
TEXT = st.text(LETTERS + "09 .+-_'@/\t\u00a0\u3000", min_size=1, max_size=24)
EMAIL = st.builds(
    "{}@{}".format,
    st.text("aBcĐ09.+ -", min_size=1, max_size=12),
    st.sampled_from(["gmail.com", "GoogleMail.com", "example.vn", "x.gmail.com", "notgmail.com"]),
)


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def sent(sql: str, value: str) -> str:
    """What a rule gives for one value, once, as the core computes it for all."""
    query = f"select {sql.format(value='given')} from (select ? as given)"
    row = CONNECTION.execute(query, [value]).fetchone()
    assert row is not None
    return str(row[0])


def key(rules: ModuleType, identifier: str) -> str:
    row = CONNECTION.execute(
        f"select {rules.KEY} from (select ? as identifier)", [identifier]
    ).fetchone()
    assert row is not None
    return str(row[0])


def vectors() -> list[tuple[str, dict[str, Any]]]:
    return [
        (name, vector)
        for name in RULES
        for vector in yaml.safe_load((GOLDEN / f"{name}.yml").read_text("utf-8"))["vectors"]
    ]


@pytest.mark.parametrize(("name", "vector"), vectors())
def test_golden_vector(name: str, vector: dict[str, Any]) -> None:
    form = vector.get("form", "")
    expected = vector["sent"] if "sent" in vector else sha256(form) if form else ""
    assert vector.get("hash", expected) == expected
    assert sent(RULES[name].FIELDS[vector["field"]], vector["value"]) == expected


@pytest.mark.parametrize("name", RULES)
def test_vectors_and_rules_have_one_version_and_every_field_a_vector(name: str) -> None:
    golden = yaml.safe_load((GOLDEN / f"{name}.yml").read_text("utf-8"))
    assert golden["version"] == RULES[name].VERSION
    assert {vector["field"] for vector in golden["vectors"]} == set(RULES[name].FIELDS)


@pytest.mark.parametrize(
    ("rules", "form"),
    [(meta, "84912345678"), (google, "+84912345678"), (tiktok, "84912345678")],
)
def test_three_ways_to_write_a_phone_are_one_hash(rules: ModuleType, form: str) -> None:
    written = ("0912 345 678", "+84 912345678", "84-(0)912345678")
    keys = {key(rules, parse_phone(text) or "") for text in written}
    assert keys == {f"p:{sha256(form)}"}


@pytest.mark.parametrize("rules", RULES.values())
def test_the_key_says_by_what_and_is_what_the_field_gives(rules: ModuleType) -> None:
    email = next(name for name in rules.FIELDS if name.lower() == "email")
    assert key_parts(key(rules, "lan@example.vn")) == (sha256("lan@example.vn"), "")
    assert key(rules, "lan@example.vn") == "e:" + sent(rules.FIELDS[email], "lan@example.vn")


HASHED = [
    (name, field)
    for name, rules in RULES.items()
    for field in rules.FIELDS
    if field not in ("region_code", "postal_code")
]


@pytest.mark.parametrize(("name", "field"), HASHED)
@pytest.mark.parametrize("near", ["{}", "x{}", "{}x", "{}\n", " {}", "{}{}", "g{}"], ids=repr)
def test_only_a_whole_hash_passes(name: str, field: str, near: str) -> None:
    digest = sha256("lan@example.vn").upper()
    value = near.format(digest, digest)
    passed = sent(RULES[name].FIELDS[field], value) == digest.lower()
    assert passed is (value == digest)
    assert sent(RULES[name].FIELDS[field], "g" + digest[1:]) != digest.lower()


@pytest.mark.parametrize("rules", RULES.values())
@given(value=TEXT | EMAIL)
def test_what_is_sent_stays_as_it_is_when_it_comes_again(rules: ModuleType, value: str) -> None:
    for sql in rules.FIELDS.values():
        once = sent(sql, value)
        assert once == "" or sent(sql, once) == once


def blankless(text: str) -> str:
    return re.sub(r"\s", "", text)


def name_form(text: str) -> str:
    return re.sub(r"[.\-_'@/]", "", text.lower()).strip()


def gmail_form(text: str) -> str:
    local, _, domain = blankless(text).lower().partition("@")
    if domain in ("gmail.com", "googlemail.com") and local:
        local = local.split("+")[0].replace(".", "")
    return f"{local}@{domain}"


DOCUMENTED = {
    ("meta", "EMAIL"): lambda text: re.sub(r"^[\s.]+|[\s.]+$", "", text).lower(),
    ("meta", "PHONE"): lambda text: re.sub(r"[^0-9]", "", text).lstrip("0"),
    ("meta", "FN"): name_form,
    ("meta", "CT"): lambda text: re.sub(r"[^a-z]", "", text.lower()),
    ("meta", "ZIP"): lambda text: blankless(text).lower().split("-")[0],
    ("google", "given_name"): name_form,
    ("google", "phone"): lambda text: "+" + found if (found := re.sub(r"[^0-9]", "", text)) else "",
    ("tiktok", "phone"): lambda text: re.sub(r"[^0-9]", "", text).lstrip("0"),
}


@pytest.mark.parametrize("rule", DOCUMENTED, ids="-".join)
@given(value=TEXT)
def test_sql_is_the_documented_rule(rule: tuple[str, str], value: str) -> None:
    form = DOCUMENTED[rule](value)
    assert sent(RULES[rule[0]].FIELDS[rule[1]], value) == (sha256(form) if form else "")


@given(value=EMAIL)
def test_sql_is_the_documented_rule_of_an_address(value: str) -> None:
    assert sent(google.FIELDS["email"], value) == sha256(gmail_form(value))
    without_tag = re.sub(r"\+[^@]*@", "@", blankless(value).lower())
    assert sent(tiktok.FIELDS["email"], value) == sha256(without_tag)


@given(day=st.dates())
def test_a_date_of_birth_has_three_parts(day: Any) -> None:
    parts = {"DOBY": f"{day:%Y}", "DOBM": f"{day:%m}", "DOBD": f"{day:%d}"}
    parts["DOBY"] = f"{day.year:04d}"
    for field, part in parts.items():
        assert sent(meta.FIELDS[field], day.isoformat()) == sha256(part)
        assert sent(meta.FIELDS[field], f"{day.isoformat()} 00:00:00") == sha256(part)
