"""Personal names, as people write them: titles, orders and habits of Viet Nam and elsewhere."""

import re
import unicodedata
from typing import NamedTuple

_FAMILY_WORDS = (
    "nguyen tran le pham hoang huynh phan vu vo dang bui do ho ngo duong ly dao doan vuong trinh "
    "truong dinh lam phung mai to ha cao luong luu chau ta thai quach nghiem tong trieu giang tang "
    "khuc chu chuong hua kieu la lai mac ninh ong phi phu quan son thach than thieu tieu trang tu "
    "tuong uong van vi vien xa au bach banh bien cai cam chung cu cung diep dam doi dong du ham hy "
    "khong khuat kim kha lo loi luc ma man nham nhan nhu nong ung viem yen ton"
)
_FAMILIES = frozenset(_FAMILY_WORDS.split())
# Those that nobody bears as a given name: last in a name, they say that it is turned round.
_ONLY_FAMILY_WORDS = "nguyen tran le pham huynh phan bui ngo do truong trinh"
_ONLY_FAMILIES = frozenset(_ONLY_FAMILY_WORDS.split())
# Family names of two words; everything else is one.
_LONG_FAMILIES = frozenset({"ton nu", "ton that", "cong tang", "au duong", "ma thi", "dang tran"})
# Accents tell a title from a name: Chị and chi, Bà and Ba. `Anh` has none and is looked at closer.
_TITLE_WORDS = (
    "anh chị ông bà cô chú bác em cậu mr mrs ms miss mister madam dr prof sir "
    "ts ths bs ks gs pgs ls"
)
_TITLES = frozenset(_TITLE_WORDS.split())
_SUFFIXES = frozenset({"jr", "sr", "ii", "iii", "iv", "phd", "md", "mba", "esq"})
_PARTICLES = frozenset(
    {"van", "von", "der", "den", "de", "del", "della", "di", "da", "dos", "du", "la", "le", "bin",
     "ibn", "al", "el", "ter", "ten", "zu"}
)  # fmt: skip
_FOREIGN_LETTERS = re.compile(r"[fjwz]")


class PersonName(NamedTuple):
    """Parts of a name; Vietnamese order is family first, given last."""

    family_name: str | None
    given_name: str | None


def parse_name(raw: str | None, country: str = "VN") -> PersonName:
    """Family and given name by the country's order; one word is a given name, titles are none.

    >>> parse_name("Nguyễn Thị Lan"), parse_name("Chị Lan"), parse_name("Mr. John van Dyck", "GB")
    ... # doctest: +NORMALIZE_WHITESPACE
    (PersonName(family_name='Nguyễn', given_name='Lan'),
     PersonName(family_name=None, given_name='Lan'),
     PersonName(family_name='van Dyck', given_name='John'))
    """
    text = unicodedata.normalize("NFC", raw or "")
    if country == "VN":
        # The letter Eth looks like the Vietnamese D with stroke, and is typed for it.
        text = text.replace("\u00d0", "\u0110").replace("\u00f0", "\u0111")
    text = re.sub(r"\([^)]*\)", " ", text)
    if text.isupper() or text.islower():
        text = " ".join(_capitalised(word) for word in text.split())
    before, comma, after = text.partition(",")
    words = _without_titles(_words(before))
    rest = [word for word in _words(after) if _plain(word) not in _SUFFIXES]
    if comma and words and rest:  # Nguyễn, Thị Lan
        return PersonName(" ".join(words), rest[-1] if country == "VN" else rest[0])
    if not words:
        # Nothing but a title or signs: what was written is all there is.
        found = text.split()
        return PersonName(None, found[0] if found else None)
    if len(words) == 1:
        return PersonName(None, words[0])
    if country == "VN" and _is_vietnamese_order(words):
        is_long = len(words) > 2 and fold(" ".join(words[:2])) in _LONG_FAMILIES
        return PersonName(" ".join(words[: 2 if is_long else 1]), words[-1])
    start = len(words) - 1
    while start > 1 and _plain(words[start - 1]) in _PARTICLES and country != "VN":
        start -= 1
    return PersonName(" ".join(words[start:]), words[0])


def fold(text: str) -> str:
    """Lower case without accents, U+0110 and its look-alike U+00D0 as d."""
    plain = unicodedata.normalize("NFD", text.lower().replace("đ", "d").replace("ð", "d"))
    return "".join(letter for letter in plain if not unicodedata.combining(letter))


def _is_vietnamese_order(words: list[str]) -> bool:
    """Family first, unless the last word must be it, or the letters are foreign."""
    if fold(words[0]) in _FAMILIES:
        return True
    if fold(words[-1]) in _ONLY_FAMILIES:
        return False
    return not _FOREIGN_LETTERS.search(fold(" ".join(words)))


def _words(text: str) -> list[str]:
    stripped = (word.strip(".,;:-_*/\\\"'()[]") for word in text.replace(".", ". ").split())
    return [word for word in stripped if any(letter.isalpha() for letter in word)]


def _without_titles(words: list[str]) -> list[str]:
    while len(words) > 1 and _plain(words[0]) in _TITLES:
        # `Anh Nguyễn`: the last word is the family, the first no title.
        if len(words) == 2 and _plain(words[0]) == "anh" and fold(words[1]) in _ONLY_FAMILIES:
            break
        words = words[1:]
    while len(words) > 1 and _plain(words[-1]) in _SUFFIXES:
        words = words[:-1]
    return words


def _plain(word: str) -> str:
    return word.lower().strip(".")


def _capitalised(word: str) -> str:
    return word[:1].upper() + word[1:].lower()
