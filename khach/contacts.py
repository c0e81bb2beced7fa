"""E-mail addresses and phone numbers, as people write them; names with them.

Matching keys are made here once; what a channel wants on top (hashes, forms) is the channel's rule.
"""

import functools
import re
import unicodedata

import phonenumbers

from khach.names import PersonName, parse_name

__all__ = ["PersonName", "parse_email", "parse_name", "parse_phone", "parse_phones"]

_EMAIL = re.compile(r"[^\s@\"(),:;<>\[\]\\]+@[^\s@\"(),:;<>\[\]\\.]+(\.[^\s@\"(),:;<>\[\]\\.]+)+")
# What people write between two numbers of one field; a dash or a dot stands inside numbers, too.
_BETWEEN_PHONES = re.compile(
    r"[/,;|\n]+|\s+-\s+|\s*(?:\bor\b|\bhoặc\b|&)\s*|\s{2,}|(?<=[0-9]{9})\s+(?=[0+])"
)
# Signs without width that copying from pages and documents leaves in a text.
_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff"))
# What follows a number within a house: no digit of it.
_EXTENSION = re.compile(
    r"\s*(?:\bx|\bext\.?|#|(?:số\s+)?máy\s+(?:lẻ|nhánh)|nội\s+bộ)\s*[.:]?\s*[0-9]{1,6}\s*$", re.I
)
# Area codes of two digits, which only brackets tell from a mobile's prefix, became three in 2017
# (the same ministry, decision 2036/QD-BTTTT of 2016).
_OLD_AREAS = {"(04)": "024", "(08)": "028"}
# Vietnamese mobile prefixes of eleven digits became ten on 2018-09-15
# (Ministry of Information and Communications, plan 798/QD-BTTTT).
_OLD_PREFIXES = {
    "0120": "070", "0121": "079", "0122": "077", "0126": "076", "0128": "078",
    "0123": "083", "0124": "084", "0125": "085", "0127": "081", "0129": "082",
    "0162": "032", "0163": "033", "0164": "034", "0165": "035", "0166": "036",
    "0167": "037", "0168": "038", "0169": "039",
    "0186": "056", "0188": "058", "0199": "059",
}  # fmt: skip


def parse_email(raw: str | None) -> str | None:
    """The address lower-cased and trimmed, or None when it is no address.

    >>> parse_email("  Lan.Nguyen@Example.VN ")
    'lan.nguyen@example.vn'
    """
    if not raw:
        return None
    text = unicodedata.normalize("NFC", raw).translate(_INVISIBLE).strip().strip(".").lower()
    return text if _EMAIL.fullmatch(text) and len(text) <= 254 else None


@functools.lru_cache(maxsize=65536)
def parse_phone(raw: str | None, country: str = "VN") -> str | None:
    """The number in E.164, or None when it is no possible number of the country.

    >>> parse_phone("0912 345 678"), parse_phone("84-(0)912345678"), parse_phone("0168 345 6789")
    ('+84912345678', '+84912345678', '+84383456789')
    """
    if not raw:
        return None
    text = unicodedata.normalize("NFKC", raw).translate(_INVISIBLE).replace("(0)", "")
    text = _EXTENSION.sub("", text)
    digits = re.sub(r"[^0-9]", "", text)
    if country == "VN":
        national = re.sub(r"^(00)?840?", "0", digits) if len(digits) > 10 else digits
        if len(national) == 11 and national[:4] in _OLD_PREFIXES:
            text = _OLD_PREFIXES[national[:4]] + national[4:]
        elif re.fullmatch(r"(00)?840?[1-9][0-9]{8}", digits):
            text = "0" + digits[-9:]
        elif (area := text.strip()[:4]) in _OLD_AREAS:
            text = text.replace(area, _OLD_AREAS[area], 1)
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def parse_phones(raw: str | None, country: str = "VN") -> list[str]:
    """Every number of a field that holds several, each once, in the order written.

    >>> parse_phones("0912345678 / 0168 345 6789"), parse_phones("(028) 3822-9999")
    (['+84912345678', '+84383456789'], ['+842838229999'])
    """
    whole = parse_phone(raw, country)
    if whole or not raw:
        return [whole] if whole else []
    found = (parse_phone(part, country) for part in _BETWEEN_PHONES.split(raw))
    return list(dict.fromkeys(number for number in found if number))
