"""How people and cashiers type names, phones and e-mails: formats, lost accents, mistakes.

A `style` is a number per record; the same style always gives the same text, so that a profile
written again tomorrow still shows the mistake made at sign-up. Its last three digits choose what
becomes of the name, the three before of the phone, the three before those of the e-mail.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sandbox.draw import Ints, Strings

# Two digits after the 0 today -> three digits after it until 2018; people still write them.
OLD_PREFIXES = {
    70: "120", 79: "121", 77: "122", 76: "126", 78: "128", 83: "123", 84: "124", 85: "125",
    81: "127", 82: "129", 32: "162", 33: "163", 34: "164", 35: "165", 36: "166", 37: "167",
    38: "168", 39: "169", 56: "186", 58: "188",
}  # fmt: skip
_WRONG_PHONES = 72  # of a thousand
# Upper bounds (of a thousand) of what becomes of a name, in the order of `choices` below;
# misspelt names come first, the last choice is the exact name.
_NAME_BOUNDS = [85, 200, 230, 250, 270, 285]
_MAIL_BOUNDS = [40, 55, 70]
CAREFUL_STYLE = 500_507_500  # exact name, phone as 0xxxxxxxxx, e-mail as it is


def typed_name(full_name: Strings, ascii_name: Strings, style: Ints) -> Strings:
    """Names as typed: accents, capitals and blanks vary, and some are misspelt."""
    fate = np.searchsorted(_NAME_BOUNDS, style % 1_000, side="right")
    exact = pc.if_else(pa.array(fate == 0), _misspelt(full_name, style, fate == 0), full_name)
    choices = (exact, ascii_name, pc.utf8_upper(full_name), pc.utf8_upper(ascii_name),
               pc.utf8_lower(full_name), _joined(" ", full_name, " "), full_name)  # fmt: skip
    return pc.choose(pa.array(fate), *choices)


def _misspelt(full_name: Strings, style: Ints, where: np.ndarray) -> Strings:
    """One letter dropped, doubled or replaced; null elsewhere."""
    out = np.full(len(where), None, object)
    rows = np.flatnonzero(where)
    for row, name, number in zip(rows, full_name.take(pa.array(rows)).to_pylist(),
                                 (style[rows] // 1_000).tolist(), strict=True):  # fmt: skip
        letters = [i for i in range(1, len(name)) if name[i] != " "]
        spot = letters[number % len(letters)]
        middle = ("", name[spot] * 2, "w")[number % 3]
        out[row] = name[:spot] + middle + name[spot + 1 :]
    return pa.array(out, pa.string())


def typed_phone(phone: Ints, style: Ints) -> Strings:
    """Nine national digits as typed: international, old prefix, grouped; some digits are wrong."""
    fate = style // 1_000 % 1_000
    wrong = fate < _WRONG_PHONES
    power = 10 ** (style % 6)
    digit = phone // power % 10
    changed = phone + ((digit + 1 + style % 8) % 10 - digit) * power
    digits = pc.cast(pa.array(np.where(wrong, changed, phone), pa.int64()), pa.string())

    def part(start: int, stop: int) -> Strings:
        return pc.utf8_slice_codeunits(digits, start, stop)

    spaced = [_joined("0", part(0, 3), gap, part(3, 6), gap, part(6, 9)) for gap in (" ", "-")]
    before = pa.array([OLD_PREFIXES.get(i, str(i)) for i in range(100)])
    old = _joined("0", before.take(pa.array(phone // 10_000_000)), part(2, 9))
    plain = _joined("0", digits)
    choices = (
        _joined("+84", digits), _joined("+84 ", part(0, 2), " ", part(2, 5), " ", part(5, 9)),
        spaced[0], _joined("0", part(0, 2), ".", part(2, 5), ".", part(5, 9)),
        _joined("84", digits), old, spaced[1], plain, plain, plain,
    )  # fmt: skip
    return pc.choose(pa.array(fate % 10), *choices)


def typed_email(email: Strings, style: Ints) -> Strings:
    """Addresses as typed: capitals and a trailing blank now and then."""
    fate = np.searchsorted(_MAIL_BOUNDS, style // 1_000_000 % 1_000, side="right")
    choices = (pc.utf8_capitalize(email), pc.utf8_upper(email), _joined(email, " "), email)
    return pc.choose(pa.array(fate), *choices)


def _joined(*parts: str | Strings) -> Strings:
    return pc.binary_join_element_wise(*parts, "")
