"""Google Data Manager (Customer Match): address parts of a place are not hashed, the rest is.

Source: https://developers.google.com/data-manager/api/devguides/concepts/formatting
(dots and `+...` of the local part go only at gmail.com and googlemail.com).
"""

from activation.channels.formats import digits, hashed, key_sql, name_form, trimmed, unblanked

VERSION = 1

_ADDRESS = f"lower({unblanked('{value}')})"


def _gmail(domain: str) -> str:
    local = f"split_part(left({_ADDRESS}, -{len(domain)}), '+', 1)"
    return f"when ends_with({_ADDRESS}, '{domain}') then replace({local}, '.', '') || '{domain}'"


_EMAIL = f"case {_gmail('@gmail.com')} {_gmail('@googlemail.com')} else {_ADDRESS} end"
_PHONE = f"regexp_extract('+' || {digits('{value}')}, '^[+][0-9]+')"
_NAME = name_form("{value}")

FIELDS = {
    "email": hashed(_EMAIL),
    "phone": hashed(_PHONE),
    "given_name": hashed(_NAME),
    "family_name": hashed(_NAME),
    "region_code": f"regexp_extract(upper({trimmed('{value}')}), '^[A-Z][A-Z]$')",
    "postal_code": trimmed("{value}"),
}
KEY = key_sql(FIELDS["email"], FIELDS["phone"])
