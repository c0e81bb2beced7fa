"""Nothing personal is written down; what is needed to find a mistake is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from khach.redact import redact, shape

PHONES = ["0912345678", "+84 912 345 678", "84912345678", "091-234-5678", "(091) 234 5678",
          "+84-(0)912345678", "+44 7911 123456"]  # fmt: skip
EMAILS = ["lan@example.vn", "lan.nguyen+giay@mail.example.co.uk", "LAN_99@EXAMPLE.VN"]
KEPT = ["r20260629T020000123", "1782900000.123456", "load 1782900000.12", "2026-06-29 02:00:00",
        "s20261122T174409732", "12,345 rows", "0.123456789012", "17 of 1,000"]  # fmt: skip


@pytest.mark.parametrize("value", PHONES + EMAILS)
@pytest.mark.parametrize("around", ["{}", "no such member: {}", "'{}' is twice", "<{}>", "x={}, y"])
def test_addresses_and_numbers_are_masked_in_any_sentence(value: str, around: str) -> None:
    masked = redact(around.format(value))
    assert value not in masked
    assert not any(part in masked for part in ("lan", "LAN", "912345", "345678", "345 678"))


@pytest.mark.parametrize("value", KEPT)
def test_ids_times_and_counts_stay_readable(value: str) -> None:
    assert redact(f"in {value}.") == f"in {value}."


@given(st.text(max_size=100))
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    assert redact(redact(text)) == redact(text)


@given(st.text(min_size=1, max_size=60))
def test_a_shape_holds_no_letter_and_no_digit_of_the_value(text: str) -> None:
    assert {c for c in shape(text) if c.isalpha()} <= {"a"}
    assert {c for c in shape(text) if c.isdecimal()} <= {"9"}
