"""Survey answers: NPS after a web delivery (0-10), satisfaction after a store visit (1-5), and once
a person what matters to them: how much they agree (1-5) with each of `names.VALUES`."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa

from sandbox import names
from sandbox.delivery import SHOP, Delivery
from sandbox.draw import chance, label, label_where, moments, pick_by_row, take
from sandbox.frames import rows, split_due

# Weights per generation: gen Z is the hardest to please.
_NPS = [[3, 2, 2, 3, 4, 6, 7, 14, 18, 20, 21], [2, 1, 1, 2, 3, 5, 6, 13, 20, 22, 25],
        [1, 1, 1, 2, 3, 5, 6, 14, 22, 22, 23], [1, 1, 1, 1, 2, 5, 6, 12, 22, 24, 25]]  # fmt: skip
_CSAT = [[4, 7, 18, 38, 33], [3, 5, 14, 40, 38], [2, 5, 13, 42, 38], [2, 4, 12, 40, 42]]
_REASONS = ["giá", "giao hàng", "chất lượng", "nhân viên", "mẫu mã", "đổi trả"]
NAMES = ["nps_sau_giao_hang", "csat_cua_hang"]
LIFESTYLE = "phong_cach_song"
_ASKED_PER_DAY = 0.0045  # of the accounts that were not asked yet
# How much people agree: with what they look for, and with the rest.
_AGREES, _ELSE = [1, 2, 7, 40, 50], [18, 28, 30, 17, 7]


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


def ask_values(d: Delivery) -> None:
    """Account holders say what they look for; the truth is what they buy by."""
    p, rng, n = d.world.p, d.rng("lifestyle"), len(d.world)
    asked = (p["account"] >= 0) & (p["account_at"] < d.start) & (p["asked_values"] == 0)
    share = np.minimum(_ASKED_PER_DAY * d.world.size.pace, 1.0)
    persons = np.flatnonzero(asked & chance(rng, share, n))
    p["asked_values"][persons] = 1
    m = len(persons)
    agrees = np.arange(len(names.VALUES))[None, :] == p["value"][persons][:, None]
    score = 1 + pick_by_row(rng, [_ELSE, _AGREES], agrees.ravel().astype(np.int64))
    response = label("S", d.world.issue("response", m))
    d.truth(SHOP, "survey_responses", response, persons)
    d.add(SHOP, "survey_responses", pa.table({
        "response_id": response, "user_id": label("U", p["account"][persons]),
        "email": take(d.world.emails, p["account_email"][persons]),
        "survey": pa.repeat(LIFESTYLE, m), "kind": pa.repeat("lifestyle", m),
        "score": pa.nulls(m, pa.int64()), "scale_max": np.full(m, 5),
        "answers": pa.array([json.dumps(dict(zip(names.VALUES, row, strict=True)))
                             for row in score.reshape(m, len(names.VALUES)).tolist()], pa.string()),
        "answered_at": moments(d.start + rng.integers(8 * 3_600, 23 * 3_600, m)),
    }))  # fmt: skip
