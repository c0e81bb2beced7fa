"""Twenty planted persons whose data must never leak into a log: the first twenty of the batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from sandbox.handwriting import CAREFUL_STYLE

CANARY_COUNT = 20
FIRST_PHONE = 995_270_100
_GIVEN = [
    "Nhất", "Nhị", "Tam", "Tứ", "Ngũ", "Lục", "Thất", "Bát", "Cửu", "Thập",
    "Giáp", "Ất", "Bính", "Đinh", "Mậu", "Kỷ", "Canh", "Tân", "Nhâm", "Quý",
]  # fmt: skip
_ASCII = [
    "Nhat", "Nhi", "Tam", "Tu", "Ngu", "Luc", "That", "Bat", "Cuu", "Thap",
    "Giap", "At", "Binh", "Dinh", "Mau", "Ky", "Canh", "Tan", "Nham", "Quy",
]  # fmt: skip


def plant(
    p: dict[str, np.ndarray], strings: pa.Table, emails: pa.Array
) -> tuple[pa.Table, pa.Array]:
    """Overwrite the first twenty people: known name, phone and e-mails, always active."""
    n = CANARY_COUNT
    p["starts_on"][:n] = -1
    p["phone"][:n] = p["phone2"][:n] = FIRST_PHONE + np.arange(n)
    for slot in range(3):
        p[f"email{slot}"][:n] = 3 * np.arange(n) + slot
    for style in ("web_style", "card_style"):
        p[style][:n] = CAREFUL_STYLE  # so that a search for the name finds it
    p["visit_rate"][:n] = np.maximum(p["visit_rate"][:n], 0.4)
    p["store_rate"][:n] = np.maximum(p["store_rate"][:n], 0.1)
    planted = pa.table({
        "full_name": [f"Kanari Hoàngyến {given}" for given in _GIVEN],
        "ascii_name": [f"Kanari Hoangyen {given}" for given in _ASCII],
        "address": strings["address"][:n],
    })  # fmt: skip
    addresses = [f"kanari{i // 3:02d}.{'abc'[i % 3]}@hoangyen.example" for i in range(3 * n)]
    return (
        pa.concat_tables([planted, strings[n:]]).combine_chunks(),
        pa.concat_arrays([pa.array(addresses), emails[3 * n :]]),
    )


def listing(strings: pa.Table, emails: pa.Array) -> list[dict[str, Any]]:
    """What `truth/canaries.json` says of them."""
    return [
        {
            "person_id": f"P{i:07d}",
            "full_name": strings["full_name"][i].as_py(),
            "ascii_name": strings["ascii_name"][i].as_py(),
            "emails": emails[3 * i : 3 * i + 3].to_pylist(),
            "phone_national": f"0{FIRST_PHONE + i}",
            "phone_e164": f"+84{FIRST_PHONE + i}",
        }
        for i in range(CANARY_COUNT)
    ]
