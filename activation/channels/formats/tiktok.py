"""TikTok customer files: e-mail and phone, hashed.

Source: https://ads.tiktok.com/help/article/list-of-supported-ids-and-formats-for-a-customer-file
(August 2025: `+...` of the local part goes on all domains, phones are digits with the country
code). Another page still shows phones with `+`; its own example hash is the one without.
"""

from activation.channels.formats import digits, hashed, key_sql, unblanked

VERSION = 1

FIELDS = {
    "email": hashed(rf"regexp_replace(lower({unblanked('{value}')}), '[+][^@]*@', '@')"),
    "phone": hashed(f"ltrim({digits('{value}')}, '0')"),
}
KEY = key_sql(FIELDS["email"], FIELDS["phone"])
