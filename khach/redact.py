"""Keep personal data out of everything that is written down."""

import re

_EMAIL = re.compile(r"[^\s@<>\"'=,;:(]+@[^\s@<>\"',;)]+\.[^\s@<>\"',;:)]+")
# Nine digits or more that begin as numbers are dialled (+, 0, 84): load ids and dates are spared.
_PHONE = re.compile(r"(?<![\w.:/-])(?!0\.)(?:\+|\(?0|84)(?:[ .()-]{0,2}[0-9]){8,14}(?![\w:-])")
_LETTER = re.compile(r"[^\W\d_]")
_DIGIT = re.compile(r"\d")


def shape(value: object, *, limit: int = 24) -> str:
    """The form of a value without its content: letters as `a`, digits as `9`.

    >>> shape("Lan 0912")
    'aaa 9999'
    """
    text = _DIGIT.sub("9", _LETTER.sub("a", str(value)))
    return text if len(text) <= limit else text[:limit] + "…"


def redact(text: str) -> str:
    """Mask what looks like an e-mail address or a phone number."""
    return _PHONE.sub("<phone>", _EMAIL.sub("<email>", text))
