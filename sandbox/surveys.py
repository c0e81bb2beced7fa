"""Survey answers: NPS after a web delivery (0-10), satisfaction after a store visit (1-5)."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa

from sandbox.delivery import SHOP, Delivery
from sandbox.draw import label, label_where, moments, pick_by_row, take
from sandbox.frames import rows, split_due

# Weights per generation: gen Z is the hardest to please.
_NPS = [[3, 2, 2, 3, 4, 6, 7, 14, 18, 20, 21], [2, 1, 1, 2, 3, 5, 6, 13, 20, 22, 25],
        [1, 1, 1, 2, 3, 5, 6, 14, 22, 22, 23], [1, 1, 1, 1, 2, 5, 6, 12, 22, 24, 25]]  # fmt: skip
_CSAT = [[4, 7, 18, 38, 33], [3, 5, 14, 40, 38], [2, 5, 13, 42, 38], [2, 4, 12, 40, 42]]
_REASONS = ["giá", "giao hàng", "chất lượng", "nhân viên", "mẫu mã", "đổi trả"]
NAMES = ["nps_sau_giao_hang", "csat_cua_hang"]


def answer(d: Delivery) -> None:
    """Answers given today."""
    due, d.world.frames["surveys"] = split_due(d.world.frames["surveys"], d.end)
    rng, n = d.rng("surveys"), rows(due)
    generation = d.world.p["generation"][due["person"]]
    is_nps = due["kind"] == 0
    score = np.where(is_nps, pick_by_row(rng, _NPS, generation),
                     1 + pick_by_row(rng, _CSAT, generation))  # fmt: skip
    reasons = [json.dumps({"ly_do": reason}, ensure_ascii=False) for reason in _REASONS]
    response = label("S", d.world.issue("response", n))
    d.truth(SHOP, "survey_responses", response, due["person"])
    d.add(SHOP, "survey_responses", pa.table({
        "response_id": response,
        "user_id": label_where("U", due["account"], due["account"] >= 0),
        "email": take(d.world.emails, due["email"]),
        "survey": take(NAMES, due["kind"]),
        "kind": take(["nps", "csat"], due["kind"]),
        "score": score,
        "scale_max": np.where(is_nps, 10, 5),
        "answers": take(reasons, rng.integers(0, len(reasons), n)),
        "answered_at": moments(due["at"]),
    }))  # fmt: skip
