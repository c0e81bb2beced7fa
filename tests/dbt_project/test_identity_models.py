"""Families, fathers and sons, tills and placeholders: what the identity models make of evidence.

Mai and Nam share the family's telephone. Hùng and his son bear one name and share one e-mail.
More people gave the shop's own telephone. Vy wrote two numbers into one field. Như Hoài and Hoài
Như are sisters.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tiny_lake import SHOP, TILLS, TinyLake

from khach.environment import Environment
from khach.errors import ConfigError
from khach.identity_decisions import answer, decide_value

DAY = datetime.fromisoformat("2026-03-01 03:00:00")
FAMILY, SHOP_PHONE, MOTHERS = "0912 345 678", "0283 822 9999", "0905 111 222"
SISTERS, TURNED = "0903 222 333", "0904 333 444"


def person(record: str, name: str | None, **more: Any) -> dict[str, Any]:
    more = {"created_at": DAY, "updated_at": DAY, "birth_date": None, "email": None, **more}
    return {"record_id": record, "full_name": name, **more}


ONLINE = [
    person("U1", "Trần Thị Mai", user_id="U1", phone=FAMILY),
    person("U2", "Trần Hoài Nam", user_id="U2", phone=FAMILY),
    person("U3", "Lê Văn Hùng", user_id="U3", email="hung@le.example",
           birth_date=datetime.fromisoformat("1960-05-04").date()),
    person("U4", "Lê Văn Hùng", user_id="U4", email="hung@le.example",
           birth_date=datetime.fromisoformat("1990-11-20").date()),
    person("U5", "Phạm Vy", user_id="U5", phone="0987 654 321 / 0168 345 6789"),
    person("U6", "Đỗ Quỳnh Anh", user_id="U6", phone=MOTHERS, email="quynh.anh@do.example"),
    person("U8", "Vũ Quang Tuyên", user_id="U8", email="tuyen@vu.example"),
    person("U9", "Ngô Bảo Trâm", user_id="U9", email="noreply@tram.example"),
    person("U10", "Hoàng Như Hoài", user_id="U10", phone=SISTERS),
    person("U11", "Bùi Thanh Hà", user_id="U11", phone=TURNED),
    person("R1", None, family_name="Đặng", birth_date_text="1971-02-30"),
    person("R2", None, birth_date_text="1971-02-30"),
    person("R3", None, email=None),
    *(person(f"S{n}", f"{name} Văn {name}", user_id=f"S{n}", phone=SHOP_PHONE)
      for n, name in enumerate(["An", "Bo", "Chi", "Du", "Em", "Phu", "Ga", "Ho", "Ich", "Khoa",
                                "Lam", "My", "Nga", "Oanh", "Phat", "Quy", "Ro", "Son", "Tan",
                                "Uy", "Vu"])),
]  # fmt: skip
AT_THE_TILL = [
    person("M1", "TRAN THI MAI", member_number="M1", phone="84912345678"),
    person("M2", "Tran Hoai Namm", member_number="M2", phone=FAMILY),
    person("M3", "Le Van Hung", member_number="M3", email="hung@le.example"),
    person("M5", "Pham Vy", member_number="M5", phone="0383456789"),
    person("M6", "Đỗ Thị Kim", member_number="M6", phone=MOTHERS),
    person("M8", "Vu Quang Tueyn", member_number="M8", email="tuyen@vu.example"),
    person("M9", "Ngo Bao Tram", member_number="M9", email="noreply@tram.example"),
    person(
        "M10",
        "Hoang Hoai Nhu",
        member_number="M10",
        phone=SISTERS,
        birth_date=datetime.fromisoformat("1963-10-28").date(),
    ),
    person("M11", "Ha Bui Thanh", member_number="M11", phone=TURNED),
    person("M7", "An Van An", member_number="M7", phone=SHOP_PHONE),
]


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory, modelling_project: Path) -> Iterator[TinyLake]:
    home = tmp_path_factory.mktemp("people")
    (home / "config").mkdir()
    (home / "config" / "settings.yml").write_text("{}", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KHACH_HOME", str(home))
        env = Environment("dev", home, home / "config", home)
        lake = TinyLake(env, modelling_project, [SHOP, TILLS], has_likeness=True)
        lake.land("shop", "customers", "1.0", ONLINE, "accepted")
        lake.land("tills", "customers", "1.0", AT_THE_TILL, "accepted")
        lake.build("--select", "+int_record_customers")
        yield lake


def resolve(lake: TinyLake) -> dict[str, str]:
    types = ("test", "unit_test")
    without = [word for kind in types for word in ("--exclude-resource-type", kind)]
    assert not lake.failures("build", *without, "--select", "+int_record_customers")
    return who(lake)


def who(lake: TinyLake) -> dict[str, str]:
    return dict(lake.rows("select record_id, customer_id from intermediate.int_record_customers"))


def test_a_family_telephone_joins_nobody_but_finds_the_same_name(people: TinyLake) -> None:
    found = who(people)
    assert found["U1"] == found["M1"] != found["U2"]
    assert found["U2"] == found["M2"], "one letter too many"


def test_words_change_places_in_one_name_but_not_after_the_family_s(people: TinyLake) -> None:
    found = who(people)
    assert found["U11"] == found["M11"], "the family's word went with them"
    assert found["U10"] != found["M10"], "two sisters"


def test_a_name_that_fits_father_and_son_is_neither_s(people: TinyLake) -> None:
    found = who(people)
    assert len({found["U3"], found["U4"], found["M3"]}) == 3


def test_each_number_of_a_field_is_evidence(people: TinyLake) -> None:
    assert who(people)["U5"] == who(people)["M5"]


def test_a_number_of_more_names_than_a_family_has_says_nothing(people: TinyLake) -> None:
    found = who(people)
    assert len({found[r] for r in found if r.startswith("S")} | {found["M7"]}) == 22
    reason, by_name = people.rows(
        "select reason, links_by_name from identity.identity_blocked_values "
        "where identifier_value = '+842838229999'"
    )[0]
    assert (reason, by_name) == ("too_many_holders", False)


def test_a_placeholder_links_not_even_one_name(people: TinyLake) -> None:
    found = who(people)
    assert found["U9"] != found["M9"]
    assert people.rows(
        "select reason, links_by_name from identity.identity_blocked_values "
        "where identifier_value = 'noreply@tram.example'"
    ) == [("pattern:placeholder", False)]


def test_likeness_sees_a_value_of_one_misspelt_name_and_not_a_family_s(people: TinyLake) -> None:
    held = people.rows(
        "select identifier_value, is_compared from identity.identity_blocked_values "
        "where identifier_value in ('tuyen@vu.example', '+84912345678') order by 1 desc"
    )
    assert held == [("tuyen@vu.example", True), ("+84912345678", False)]


def test_what_is_described_without_a_whole_name_is_compared_as_it_was_delivered(
    people: TinyLake,
) -> None:
    compared = people.rows(
        "select record_key, given_name, family_name from identity.identity_match_records "
        "where record_key like 'record|shop|customers:R%' order by 1"
    )
    assert compared == [
        ("record|shop|customers:R1", None, "Đặng"),
        ("record|shop|customers:R2", None, None),
    ], "R3 says nothing of anybody"


def test_blocked_unblocked_and_answered_without_anybody_else_noticing(people: TinyLake) -> None:
    before = who(people)
    decide_value(
        people.env, "phone", "0383 456 789", namespace=None, is_blocked=True, why="recycled"
    )
    answer(people.env, "user_id|shop|U6", "member_number|tills|M6", is_accepted=True)
    changed = resolve(people)
    assert changed["U5"] != changed["M5"]
    assert changed["U6"] == changed["M6"]
    moved = {r for r in before if before[r] != changed[r]}
    assert moved <= {"U5", "M5", "U6", "M6"}

    decide_value(people.env, "phone", "0383456789", namespace=None, is_blocked=False, why="by_hand")
    answer(people.env, "member_number|tills|M6", "user_id|shop|U6", is_accepted=False)
    assert resolve(people) == before, "both old ids are back"
    events = people.rows(
        "select event from state.main.identity_ledger where event in "
        "('blocked', 'unblocked', 'reviewed') order by event_number"
    )
    assert [event for (event,) in events] == ["blocked", "reviewed", "unblocked", "reviewed"]


def test_who_is_said_to_be_two_is_two_whatever_they_show(people: TinyLake) -> None:
    before = who(people)
    assert before["U5"] == before["M5"]
    answer(people.env, "user_id|shop|U5", "member_number|tills|M5", is_accepted=False)
    changed = resolve(people)
    assert changed["U5"] != changed["M5"]
    assert {r for r in before if before[r] != changed[r]} <= {"U5", "M5"}
    assert people.rows("select reason from identity.identity_quarantine") == [("answer",)]
    answer(people.env, "user_id|shop|U5", "member_number|tills|M5", is_accepted=True)
    assert resolve(people) == before
    with pytest.raises(ConfigError, match="no source has shown the second key"):
        answer(people.env, "user_id|shop|U5", "member_number|tills|M55", is_accepted=False)


def test_an_answer_about_a_record_holds_when_it_names_an_account(people: TinyLake) -> None:
    before = who(people)
    assert before["R1"] != before["M9"]
    answer(people.env, "record|shop|customers:R1", "member_number|tills|M9", is_accepted=True)
    assert resolve(people)["R1"] == before["M9"]
    (record,) = (row for row in ONLINE if row["record_id"] == "R1")
    signed_up = record | {"user_id": "U12", "updated_at": DAY + timedelta(days=1)}
    people.land("shop", "customers", "2.0", [signed_up], "accepted")
    assert resolve(people)["R1"] == before["M9"]


def test_resolving_again_changes_nothing_and_a_lost_warehouse_gives_the_same_ids(
    people: TinyLake,
) -> None:
    before, written = who(people), people.rows("select count(*) from state.main.identity_ledger")
    people.env.warehouse.unlink()
    assert resolve(people) == before
    assert people.rows("select count(*) from state.main.identity_ledger") == written
