"""Contacts: however a person types an address, a number or a name, it is read the same way."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from khach.contacts import _OLD_PREFIXES, parse_email, parse_name, parse_phone

# Subscriber numbers of Vietnamese mobiles: a real prefix and seven digits.
MOBILE = st.builds(
    "{}{}".format,
    st.sampled_from(["32", "56", "70", "77", "81", "90", "91", "97", "98"]),
    st.text("0123456789", min_size=7, max_size=7),
)
LOCAL = st.from_regex(r"[a-z0-9][a-z0-9._+-]{0,20}[a-z0-9]", fullmatch=True)
DOMAIN = st.from_regex(r"[a-z0-9]{1,10}(\.[a-z]{2,6}){1,2}", fullmatch=True)


@given(MOBILE, st.sampled_from(["0", "+84", "84", "0084", "+84 (0)", "84-0", " 0"]),
       st.sampled_from(["", " ", ".", "-"]))  # fmt: skip
def test_every_way_to_write_a_vietnamese_mobile_gives_one_number(
    digits: str, prefix: str, separator: str
) -> None:
    written = prefix + separator.join((digits[:2], digits[2:5], digits[5:]))
    assert parse_phone(written) == f"+84{digits}"


@given(MOBILE)
def test_parsing_a_parsed_number_changes_nothing(digits: str) -> None:
    assert parse_phone(parse_phone(f"0{digits}")) == f"+84{digits}"


@pytest.mark.parametrize(("old", "new"), sorted(_OLD_PREFIXES.items()))
def test_old_eleven_digit_numbers_become_the_new_ten_digit_ones(old: str, new: str) -> None:
    for prefix in (old, f"+84{old[1:]}", f"84{old[1:]}", f"84 {old}", f"00 84 {old} "):
        assert parse_phone(f"{prefix}3456789") == f"+84{new[1:]}3456789"


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("0912 345 678 x1", "+84912345678"),
        ("84 0912 345 678 ext. 12", "+84912345678"),
        ("(028) 3822 9999 máy lẻ 102", "+842838229999"),
        ("028 3822 9999 - số máy lẻ: 7", "+842838229999"),
        ("(08) 3822 9999", "+842838229999"),  # a mobile's number without the brackets
        ("08 3822 9999", "+84838229999"),
        ("(04) 3822-9999", "+842438229999"),
        ("0912\u200b345678\ufeff", "+84912345678"),
        ("0126 345 678 x1", None),  # an old prefix with a digit too few
    ],
)
def test_what_stands_around_a_number_is_no_digit_of_it(written: str, number: str | None) -> None:
    assert parse_phone(written) == number


@given(st.text(max_size=30))
def test_a_phone_is_none_or_in_international_form_whatever_is_typed(text: str) -> None:
    parsed = parse_phone(text)
    assert parsed is None or re.fullmatch(r"\+[1-9][0-9]{6,14}", parsed)


@pytest.mark.parametrize(
    "text", [None, "", "0", "12345", "0000000000", "khong co", "09123456789012"]
)
def test_what_is_no_number_is_none(text: str | None) -> None:
    assert parse_phone(text) is None


@given(LOCAL, DOMAIN)
def test_an_address_is_the_same_in_any_case_and_with_spaces_around(local: str, domain: str) -> None:
    typed = f"\u200b  {local.upper()}\u200d@{domain.title()} \ufeff\t"
    parsed = parse_email(typed)
    assert parsed == parse_email(f"{local}@{domain}")
    assert parsed is None or parsed == f"{local}@{domain}".lower()


@given(st.text(max_size=60))
def test_a_parsed_address_is_stable_and_has_one_at_sign(text: str) -> None:
    parsed = parse_email(text)
    assert parsed is None or (parse_email(parsed) == parsed and parsed.count("@") == 1)


@pytest.mark.parametrize("text", [None, "", "lan", "lan@", "@example.vn", "a b@example.vn",
                                  "lan@@example.vn", "lan@example"])  # fmt: skip
def test_what_is_no_address_is_none(text: str | None) -> None:
    assert parse_email(text) is None


@given(st.lists(st.sampled_from(["Nguyễn", "Thị", "Lan", "Đức", "Ngọc", "Hạnh"]), max_size=5),
       st.sampled_from(["VN", "GB"]))  # fmt: skip
def test_a_name_loses_no_diacritic_and_follows_the_countrys_order(
    words: list[str], country: str
) -> None:
    parsed = parse_name("  ".join(words), country)
    if not words:
        assert parsed == (None, None)
    elif len(words) == 1:
        assert parsed == (None, words[0])
    else:
        # Nguyễn is nobody's given name: when it alone can be the family, it is.
        is_turned = words[-1] == "Nguyễn" and words[0] != "Nguyễn"
        is_family_first = country == "VN" and not is_turned
        family, given_name = (words[0], words[-1]) if is_family_first else (words[-1], words[0])
        assert parsed == (family, given_name)


@given(st.text(max_size=40), st.sampled_from(["VN", "GB"]))
def test_whatever_is_typed_a_given_name_is_of_it_and_parts_parse_alike(
    text: str, country: str
) -> None:
    parsed = parse_name(text, country)
    assert (parsed.given_name is None) == (not re.sub(r"\([^)]*\)", "", text).split())
    for part in filter(None, parsed):
        assert part == part.strip() and part


@pytest.mark.parametrize(
    ("written", "country", "family", "given_name"),
    [
        ("NGUYỄN THỊ LAN", "VN", "Nguyễn", "Lan"),
        ("lan", "VN", None, "Lan"),
        ("Chị Lan", "VN", None, "Lan"),
        ("Bà Nguyễn Thị Hoa", "VN", "Nguyễn", "Hoa"),
        ("PGS.TS. Lê Hà", "VN", "Lê", "Hà"),
        ("Anh Nguyễn", "VN", "Nguyễn", "Anh"),
        ("Trần Ngọc Anh", "VN", "Trần", "Anh"),
        ("Tôn Nữ Thị Ninh", "VN", "Tôn Nữ", "Ninh"),
        ("\u00d0\u1ed7 \u00d0\u1ee9c", "VN", "Đỗ", "Đức"),
        ("Nguyễn, Thị Lan", "VN", "Nguyễn", "Lan"),
        ("Hoàng Ánh (shop giày)", "VN", "Hoàng", "Ánh"),
        ("John Smith", "VN", "Smith", "John"),
        ("Nguyen Van Hoang", "VN", "Nguyen", "Hoang"),
        ("Mr. John van Dyck Jr.", "GB", "van Dyck", "John"),
        ("Smith, John", "GB", "Smith", "John"),
        ("Mary-Jane O'Neil", "GB", "O'Neil", "Mary-Jane"),
    ],
)
def test_titles_orders_and_habits_are_understood(
    written: str, country: str, family: str | None, given_name: str
) -> None:
    assert parse_name(written, country) == (family, given_name)


def test_decomposed_and_composed_letters_are_one_name() -> None:
    assert parse_name("Nguye\u0302\u0303n Lan") == parse_name("Nguyễn Lan")
