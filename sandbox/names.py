"""Vietnamese names in Vietnamese order, streets, occupations, and their ASCII forms.

Family and middle names follow their real frequencies; the lists are our own short ones.
"""

from __future__ import annotations

import csv
import functools
import unicodedata
from dataclasses import dataclass
from pathlib import Path

FAMILY = {
    "Nguyễn": 38, "Trần": 12, "Lê": 9.5, "Phạm": 7, "Hoàng": 3, "Huỳnh": 2.6, "Phan": 4.5,
    "Vũ": 2.4, "Võ": 2, "Đặng": 2.1, "Bùi": 2, "Đỗ": 1.6, "Hồ": 1.3, "Ngô": 1.3, "Dương": 1,
    "Lý": 0.6, "Đinh": 0.8, "Trịnh": 0.7, "Mai": 0.6, "Đoàn": 0.6, "Lương": 0.6, "Tạ": 0.4,
    "Châu": 0.3, "Tôn Nữ": 0.1, "Âu Dương": 0.1,
}  # fmt: skip
MIDDLE_FEMALE = [
    "Thị", "Ngọc", "Thị Ngọc", "Thu", "Minh", "Phương", "Thanh", "Bảo", "Khánh", "Mỹ", "Thùy",
    "Hồng", "Kim", "Quỳnh", "Thị Thanh", "Diễm", "Hoài", "Tường", "Ánh", "Bích", "Cẩm", "Như",
]  # fmt: skip
MIDDLE_MALE = [
    "Văn", "Đức", "Minh", "Hữu", "Quốc", "Anh", "Thành", "Gia", "Công", "Đình", "Hoàng", "Xuân",
    "Trọng", "Ngọc", "Thanh", "Tuấn", "Quang", "Duy", "Nhật", "Bảo", "Phúc", "Tiến",
]  # fmt: skip
GIVEN_FEMALE = [
    "Anh", "An", "Bình", "Châu", "Chi", "Dung", "Duyên", "Đào", "Giang", "Hà", "Hạnh", "Hân",
    "Hằng", "Hiền", "Hoa", "Hoài", "Hồng", "Huệ", "Hương", "Khanh", "Kiều", "Lan", "Lê",
    "Liên", "Linh", "Loan", "Ly", "Mai", "My", "Nga",
    "Ngân", "Ngọc", "Nguyệt", "Nhi", "Nhung", "Như", "Oanh",
    "Phương", "Phượng", "Quyên", "Quỳnh", "Sương", "Tâm", "Thảo", "Thi", "Thoa", "Thu", "Thư",
    "Thúy", "Thủy", "Tiên", "Trang", "Trâm", "Trân", "Trinh", "Trúc", "Tuyền", "Tuyết", "Uyên",
    "Vân", "Vy", "Xuân", "Yên", "Yến", "Ý",
]  # fmt: skip
GIVEN_MALE = [
    "An", "Anh", "Bách", "Bảo", "Bình", "Cường", "Chiến", "Danh", "Duy", "Dũng", "Dương", "Đạt",
    "Đăng", "Điền", "Đức", "Giang", "Hải", "Hào", "Hậu", "Hiếu", "Hiệp", "Hòa", "Hoàng", "Huy",
    "Hùng", "Hưng", "Khánh", "Khải", "Khang", "Khoa", "Khôi", "Kiên", "Kiệt", "Lâm", "Long", "Lộc",
    "Lợi", "Luân", "Minh", "Nam", "Nghĩa", "Nguyên", "Nhân", "Nhật", "Phát", "Phong", "Phú", "Phúc",
    "Quang", "Quân", "Quốc", "Sang", "Sơn", "Tài", "Tâm", "Tân", "Thành", "Thái", "Thắng", "Thịnh",
    "Thiện", "Tiến", "Toàn", "Trí", "Trung", "Trường", "Tú", "Tuấn", "Tùng", "Vinh", "Việt", "Vũ",
]  # fmt: skip
STREETS = [
    "Nguyễn Trãi", "Lê Lợi", "Trần Hưng Đạo", "Hai Bà Trưng", "Lý Thường Kiệt", "Phan Chu Trinh",
    "Hùng Vương", "Quang Trung", "Điện Biên Phủ", "Nguyễn Huệ", "Võ Văn Tần", "Cách Mạng Tháng Tám",
    "Phạm Văn Đồng", "Lê Duẩn", "Ngô Quyền", "Bà Triệu", "Trường Chinh", "Nguyễn Văn Cừ",
]  # fmt: skip
OCCUPATIONS = [
    "học sinh, sinh viên", "nhân viên văn phòng", "kỹ sư", "giáo viên", "công nhân",
    "kinh doanh tự do",
    "nhân viên bán hàng", "y tế", "lái xe", "thiết kế", "nội trợ", "nghỉ hưu",
]  # fmt: skip
INCOME_BANDS = ["dưới 5 triệu", "5-10 triệu", "10-20 triệu", "20-40 triệu", "trên 40 triệu"]
MARITAL = ["độc thân", "đã kết hôn", "ly hôn", "góa"]
# Hidden tastes: they decide what people buy and how they answer (`truth/people`).
VALUES = ["trend", "quality", "price", "community"]
GENERATIONS = ["gen_z", "gen_y", "gen_x", "boomer"]
MAIL_DOMAINS = {"thu.example": 62, "hop-thu.example": 18, "mail.example": 12, "cong-ty.example": 8}


@dataclass(frozen=True)
class Province:
    """A province of 2025, its retail weight and some of its wards."""

    name: str
    weight: float
    wards: list[str]


@functools.cache
def provinces() -> list[Province]:
    """The 34 provinces, heaviest first (from `data/provinces.csv`)."""
    with (Path(__file__).parent / "data" / "provinces.csv").open(encoding="utf-8") as rows:
        return [
            Province(row["province"], float(row["weight"]), row["wards"].split("|"))
            for row in csv.DictReader(rows)
        ]


def ascii_form(text: str) -> str:
    """The text as typed on a keyboard without Vietnamese letters."""
    plain = text.replace("Đ", "D").replace("đ", "d")
    return "".join(c for c in unicodedata.normalize("NFD", plain) if not unicodedata.combining(c))
