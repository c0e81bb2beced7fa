"""People made up for matching: families, twins, namesakes, and their records with errors."""

import random
import string
import unicodedata
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import pyarrow as pa

FAMILY_NAMES = [
    "Nguyễn", "Nguyễn", "Nguyễn", "Nguyễn", "Trần", "Trần", "Lê", "Lê", "Phạm", "Hoàng",
    "Huỳnh", "Phan", "Vũ", "Võ", "Đặng", "Bùi", "Đỗ", "Hồ", "Ngô", "Dương", "Lý",
]  # fmt: skip
MIDDLE_NAMES = [
    "Văn", "Thị", "Thị", "Hữu", "Đức", "Minh", "Ngọc", "Thanh", "Xuân", "Quang", "Thu",
    "Hoài", "Gia", "Bảo", "Khánh", "Anh",
]  # fmt: skip
GIVEN_NAMES = [
    "An", "Anh", "Bình", "Chi", "Cường", "Dung", "Dũng", "Duy", "Giang", "Hà", "Hải", "Hạnh",
    "Hiếu", "Hoa", "Hùng", "Hương", "Huy", "Khánh", "Khoa", "Lan", "Linh", "Long", "Mai",
    "Minh", "My", "Nam", "Nga", "Ngân", "Ngọc", "Nhung", "Phong", "Phúc", "Phương", "Quân",
    "Quang", "Quỳnh", "Sơn", "Tâm", "Thắng", "Thảo", "Thịnh", "Thu", "Thủy", "Tiến", "Trang",
    "Trâm", "Trung", "Tú", "Tuấn", "Tùng", "Uyên", "Vân", "Việt", "Vinh", "Vy", "Yến", "Đạt",
    "Đông",
]  # fmt: skip
STREETS = [
    "Lê Lợi", "Trần Phú", "Hai Bà Trưng", "Nguyễn Huệ", "Điện Biên Phủ", "Lý Thường Kiệt",
    "Cách Mạng Tháng Tám", "Võ Thị Sáu", "Phan Đình Phùng", "Hoàng Diệu", "Bạch Đằng",
    "Quang Trung", "Ngô Quyền", "Hùng Vương", "Pasteur", "Tôn Đức Thắng",
]  # fmt: skip
CITIES = [
    "Hà Nội", "Hồ Chí Minh", "Đà Nẵng", "Hải Phòng", "Cần Thơ", "Huế", "Nha Trang", "Vinh",
    "Biên Hòa", "Vũng Tàu",
]  # fmt: skip
COLUMNS = [
    "given_name",
    "family_name",
    "full_name",
    "birth_date_text",
    "gender",
    "email",
    "phone",
    "address",
    "postal_code",
    "city",
]


@dataclass
class Maker:
    """Makes people and their records, the same ones for the same seed."""

    seed: int = 0
    errors: float = 0.06
    missing: float = 0.05
    records: list[dict[str, Any]] = field(default_factory=list)
    people: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def person(self, **given: Any) -> dict[str, Any]:
        """A person of their own, with what is given."""
        r = self.random
        self.people += 1
        middle = [r.choice(MIDDLE_NAMES)] if r.random() < 0.8 else []
        name = " ".join([*middle, r.choice(GIVEN_NAMES)])
        street = f"{r.randint(1, 400)} {r.choice(STREETS)}"
        person = {
            "entity": self.people, "given_name": name, "family_name": r.choice(FAMILY_NAMES),
            "birth_date_text": str(date(1945, 1, 1) + timedelta(days=r.randint(0, 23_000))),
            "gender": r.choice("MF"),
            "phone": "09" + "".join(r.choices(string.digits, k=8)),
            "address": street, "postal_code": f"{r.randint(10, 99)}0000", "city": r.choice(CITIES),
        } | given  # fmt: skip
        mail = plain(f"{person['given_name']}{r.choice(['.', ''])}{person['family_name']}").replace(
            " ", ""
        )
        person.setdefault(
            "email", f"{mail}{r.randint(1, 9999)}@{r.choice(['gmail.com', 'yahoo.com', 'mail.vn'])}"
        )
        return person

    def family(
        self, members: int, *, twins: bool = False, namesake: bool = False
    ) -> list[dict[str, Any]]:
        """People of one house: name, address and telephone in common."""
        first = self.person()
        common = {k: first[k] for k in ("family_name", "phone", "address", "postal_code", "city")}
        rest = [self.person(**common) for _ in range(members - 1)]
        if twins:
            rest[0]["birth_date_text"] = first["birth_date_text"]
        if namesake:
            rest[-1]["given_name"] = first["given_name"]
        return [first, *rest]

    def record(self, person: dict[str, Any], source: str = "a", *, clean: bool = False) -> None:
        """A record of the person, with errors unless clean."""
        r = self.random
        row = dict(person) if clean else {k: self.spoiled(k, v) for k, v in person.items()}
        if not clean and r.random() < self.errors / 2:
            row["given_name"], row["family_name"] = row["family_name"], row["given_name"]
        if not clean and r.random() < 0.3:
            row |= {k: plain(v) for k, v in row.items() if isinstance(v, str) and k != "email"}
        self.records.append(row | {"entity": person["entity"], "source_key": source})

    def spoiled(self, column: str, value: Any) -> Any:
        r = self.random
        if column == "entity" or (r.random() < self.missing and column != "family_name"):
            return value if column == "entity" else None
        while r.random() < self.errors and len(value) > 2:
            at = r.randrange(len(value) - 1)
            letter = r.choice(string.digits if value[at].isdigit() else string.ascii_lowercase)
            value = r.choice((
                value[:at] + value[at + 1] + value[at] + value[at + 2:],
                value[:at] + letter + value[at + 1:], value[:at] + value[at + 1:],
            ))  # fmt: skip
        return value

    def tables(self, columns: list[str] | None = None) -> tuple[pa.Table, pa.Table]:
        """The records, shuffled, and the truth for `evaluate`."""
        rows = list(self.records)
        self.random.shuffle(rows)
        for number, row in enumerate(rows):
            row["record_key"] = f"r{number:06}"
            row["full_name"] = (
                " ".join(filter(None, (row["family_name"], row["given_name"]))) or None
            )
        wanted = ["record_key", "source_key", *(columns or COLUMNS)]
        records = pa.table({c: pa.array([row.get(c) for row in rows], pa.string()) for c in wanted})
        truth = pa.table({
            "record_id": records["record_key"], "entity_id": [str(row["entity"]) for row in rows],
        })  # fmt: skip
        return records, truth


def plain(text: str) -> str:
    """Without accents."""
    text = text.replace("đ", "d").replace("Đ", "D")
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
