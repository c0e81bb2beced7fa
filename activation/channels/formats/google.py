"""Google Data Manager (Customer Match): address parts of a place are not hashed, the rest is.

Source: https://developers.google.com/data-manager/api/devguides/concepts/formatting
(dots and `+...` of the local part go only at gmail.com and googlemail.com).
"""

from activation.channels.formats import digits, hashed, key_sql, trimmed, unblanked

VERSION = 1

_ADDRESS = f"lower({unblanked('{value}')})"
_LOCAL = f"split_part(split_part({_ADDRESS}, '@', 1), '+', 1)"
_EMAIL = (
    f"if(regexp_full_match({_ADDRESS}, '[^@]+@(gmail|googlemail)[.]com'), "
    f"replace({_LOCAL}, '.', '') || '@' || split_part({_ADDRESS}, '@', 2), {_ADDRESS})"
)
_PHONE = f"'+' || nullif({digits('{value}')}, '')"
_NAME = trimmed(r"regexp_replace(lower(nfc_normalize({value})), '\pP', '', 'g')")

FIELDS = {
    "email": hashed(_EMAIL),
    "phone": hashed(_PHONE),
    "given_name": hashed(_NAME),
    "family_name": hashed(_NAME),
    "region_code": f"regexp_extract(upper({trimmed('{value}')}), '^[A-Z][A-Z]$')",
    "postal_code": trimmed("{value}"),
}
KEY = key_sql(FIELDS["email"], FIELDS["phone"])
