"""Meta Custom Audiences: every key is hashed.

Source: https://developers.facebook.com/documentation/ads-commerce/marketing-api/audiences/guides/custom-audiences
("Hashing and normalization for multi-key"). Names follow that page (UTF-8 is kept), not the
vendor's SDK, which drops accents and with them every Vietnamese letter.
"""

from activation.channels.formats import (
    BLANK,
    digits,
    hashed,
    key_sql,
    name_form,
    trimmed,
    unblanked,
)

VERSION = 1

_LETTERS = "regexp_replace(lower({value}), '[^a-z]', '', 'g')"
_NAME = name_form("{value}")
_COUNTRY = f"regexp_extract(lower({trimmed('{value}')}), '^[a-z][a-z]$')"
_EMAIL = f"lower(regexp_replace({{value}}, '^({BLANK}|[.])+|({BLANK}|[.])+$', '', 'g'))"
# A date of birth comes as YYYY-MM-DD (a time may follow), or its part alone: 1990, 7.
_YEAR = "[0-9][0-9][0-9][0-9]"
_ALONE = "regexp_extract('0' || {value}, '^0?([0-9][0-9])$', 1)"
_MONTH = f"regexp_extract({{value}}, '^{_YEAR}-([0-9][0-9])-', 1) || {_ALONE}"
_DAY = f"regexp_extract({{value}}, '^{_YEAR}-[0-9][0-9]-([0-9][0-9])', 1) || {_ALONE}"

FIELDS = {
    "EMAIL": hashed(_EMAIL),
    "PHONE": hashed(f"ltrim({digits('{value}')}, '0')"),
    "FN": hashed(_NAME),
    "LN": hashed(_NAME),
    "CT": hashed(_LETTERS),
    "ST": hashed(_LETTERS),
    "ZIP": hashed(f"split_part(lower({unblanked('{value}')}), '-', 1)"),
    "COUNTRY": hashed(_COUNTRY),
    "GEN": hashed(f"regexp_extract(lower({trimmed('{value}')}), '^[mf]')"),
    "DOBY": hashed(f"regexp_extract({{value}}, '^({_YEAR})(-|$)', 1)"),
    "DOBM": hashed(_MONTH),
    "DOBD": hashed(_DAY),
}
KEY = key_sql(FIELDS["EMAIL"], FIELDS["PHONE"])
