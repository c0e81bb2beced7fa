"""How each advertising platform wants identifiers: one small versioned file of SQL per platform.

A rule is a DuckDB expression over `{value}`, a text that is never empty: what it gives is what is
sent; '' is sent as nothing. The rules belong to the platforms; what they share is only how a form
becomes a hash, here.
"""

import hashlib

_OF_NOTHING = hashlib.sha256(b"").hexdigest()
# What people leave around and between words: RE2's \s knows ASCII only.
BLANK = r"[\s\v\pZ]"


def trimmed(value: str) -> str:
    """Without blanks at both ends."""
    return f"regexp_replace({value}, '^{BLANK}+|{BLANK}+$', '', 'g')"


def unblanked(value: str) -> str:
    """Without any blank."""
    return f"regexp_replace({value}, '{BLANK}', '', 'g')"


def digits(value: str) -> str:
    """The ASCII digits only."""
    return f"regexp_replace({value}, '[^0-9]', '', 'g')"


def name_form(value: str) -> str:
    """A name lower-cased, without punctuation and outer blanks; letters composed, accents kept."""
    composed = rf"if(regexp_matches({value}, '\pM'), nfc_normalize({value}), {value})"
    return trimmed(rf"regexp_replace(lower({composed}), '\pP', '', 'g')")


def hashed(form: str) -> str:
    """SHA-256 of a form as lower-case hex; '' when nothing is left of the value.

    Input that is a hash already passes, and only then: all of it is 64 hexadecimal digits once
    lower-cased. (The form stands here once: DuckDB computes a repeated one again.)
    """
    return (
        "case when length({value}) = 64 and regexp_full_match(lower({value}), '[0-9a-f]+') "
        f"then lower({{value}}) else replace(sha256({form}), '{_OF_NOTHING}', '') end"
    )


def key_sql(email: str, phone: str) -> str:
    """A member's key over `identifier`: `e:` with the e-mail's hash, `p:` with the phone's."""
    return (
        f"case when contains(identifier, '@') then 'e:' || {email.format(value='identifier')} "
        f"else 'p:' || {phone.format(value='identifier')} end"
    )


def key_parts(remote_id: str) -> tuple[str, str]:
    """A member's key as (e-mail hash, phone hash); one of them is ''."""
    kind, _, digest = remote_id.partition(":")
    return (digest, "") if kind == "e" else ("", digest)
