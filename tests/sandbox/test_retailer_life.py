"""People behave as people: generations, campaigns, consents; and the data is hard enough."""

import gzip
import json
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import yaml
from retailer import events, fingerprint, query

from activation.channels import CHANNELS
from khach.init import TEMPLATES
from sandbox import accounts, control
from sandbox.report import BARS


@pytest.mark.parametrize("metric", BARS)
def test_the_written_data_is_hard_enough(hardness: dict[str, dict], metric: str) -> None:
    assert hardness[metric]["ok"], (metric, hardness[metric])


def test_the_report_fails_on_easy_data(history: Path, tmp_path: Path) -> None:
    easy = tmp_path / "easy"
    shutil.copytree(history, easy)
    for file in (easy / "exports/web_events").glob("*.gz"):
        lines = {}
        for line in gzip.decompress(file.read_bytes()).splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                continue
            event["receivedAt"] = event["originalTimestamp"]
            lines[event["messageId"]] = json.dumps(event, separators=(",", ":"))
        with gzip.open(file, "wt") as out:
            out.write("".join(f"{line}\n" for line in lines.values()))
    for file in (easy / "exports/web_shop").glob("members-*.csv"):
        header, *rows = file.read_text().splitlines()
        file.write_text("\n".join([header, *rows[: len(rows) // 4]]) + "\n")
    found = control.report(easy)
    for metric in ("malformed_lines", "latest_event_days", "late_events"):
        assert not found[metric]["ok"], metric
    assert found["duplicate_events"]["value"] < control.report(history)["duplicate_events"]["value"]


def test_generations_live_at_different_hours_and_come_from_different_places(
    history: Path,
) -> None:
    born = dict(query(history, "select user_id, generation from '{truth}/people.parquet'"))
    late, tiktok = {}, {}
    for event in events(history):
        generation = born.get(event["userId"])
        at = datetime.fromisoformat(event["originalTimestamp"]) + timedelta(hours=7)
        late.setdefault(generation, []).append(at.hour >= 21)
        tiktok.setdefault(generation, []).append(event["context"]["campaign"]["source"] == "tiktok")

    def share(values: list[bool]) -> float:
        return sum(values) / len(values)

    assert share(late["gen_z"]) > share(late["gen_y"]) + 0.05
    assert share(tiktok["gen_z"]) > share(tiktok["gen_y"]) + 0.05


def test_canaries_are_everywhere_and_written_without_mistakes(history: Path) -> None:
    canaries = json.loads((history / "truth/canaries.json").read_text())
    assert len(canaries) == 20
    shop = dict(query(history, "select full_name, phone from '{shop}/members-*.csv'"))
    cards = dict(query(history, "select full_name, phone from '{tills}/*/members.csv'"))
    mails = {
        row[0] for row in query(history, "select email_address from '{mail}/*/members.parquet'")
    }
    for canary in canaries:
        assert shop[canary["full_name"]] == cards[canary["full_name"]] == canary["phone_national"]
        assert set(canary["emails"]) & mails
    bought = query(
        history,
        """select count(distinct person_id) from '{truth}/records.parquet'
        where record_kind = 'orders' and person_id < 'P0000020'""",
    )
    assert bought[0][0] >= 10


def test_only_the_treated_are_mailed_and_groups_are_random(history: Path) -> None:
    [(assigned, treated, mailed_holdouts, treated_unmailed)] = query(
        history,
        """select count(*), count(*) filter (grp = 'treated'),
            count(*) filter (grp = 'holdout' and s.status is not null),
            count(*) filter (grp = 'treated' and s.status is null)
        from '{shop}/experiments-*.parquet' as e
        left join '{mail}/*/sends.parquet' as s
            on e.campaign_id = s.campaign_id and e.email = s.email_address""",
    )
    assert assigned > 100
    assert (mailed_holdouts, treated_unmailed) == (0, 0)
    assert 0.7 < treated / assigned < 0.95


def test_effects_count_those_who_were_really_assigned(history: Path) -> None:
    rows = query(
        history,
        """select sum(treated_count), sum(holdout_count), sum(caused_count), min(uplift),
            (select count(*) filter (grp = 'treated') from '{shop}/experiments-*.parquet'),
            (select count(*) filter (grp = 'holdout') from '{shop}/experiments-*.parquet')
        from '{truth}/effects.parquet'""",
    )
    treated, held, caused, least, treated_written, held_written = rows[0]
    assert (treated, held) == (treated_written, held_written)
    assert 0 < caused < treated
    assert least >= 0


def test_consents_are_given_and_withdrawn_on_every_channel(history: Path) -> None:
    found = query(
        history,
        """select channel, purpose, count(*) filter (granted), count(*) filter (not granted)
        from (select channel, purpose, granted from '{shop}/consents-*.csv'
            union all select channel, purpose, granted from '{tills}/*/consents.csv')
        group by 1, 2""",
    )
    assert {row[:2] for row in found} >= {
        (channel, purpose)
        for channel in ("email", "sms", "zalo")
        for purpose in ("marketing", "service")
    } | {("sms", "survey"), ("ads", "advertising"), ("push", "marketing")}
    assert all(given > 0 and refused > 0 for _, _, given, refused in found)
    withdrawn = query(
        history,
        """select count(*) from (select user_id, channel, purpose,
                arg_min(granted, consent_id) as first, arg_max(granted, consent_id) as last
            from '{shop}/consents-*.csv' group by all) where first and not last""",
    )
    assert withdrawn[0][0] > 0


def test_every_ready_audience_asks_for_a_consent_that_many_have_given(history: Path) -> None:
    needed = {
        (sync.get("consent_channel") or CHANNELS[sync["channel"]].capabilities.consent_channel,
         audience["purpose"])
        for file in (TEMPLATES / "sandbox" / "audiences").glob("*.yml")
        for audience in [yaml.safe_load(file.read_text(encoding="utf-8"))]
        for sync in audience["syncs"]
    }  # fmt: skip
    rows = query(
        history,
        "select channel, purpose, count(distinct user_id) from '{shop}/consents-*.csv' "
        "where granted group by all",
    )
    agreed = {(channel, purpose): count for channel, purpose, count in rows}
    assert ("push", "marketing") in needed
    assert min(agreed.get(one, 0) for one in needed - {("phone", "marketing")}) > 80, agreed


def test_consents_asked_for_besides_move_nothing_else(
    history: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "_WILLING_FURTHER", np.ones((4, 3)))
    control.advance(tmp_path / "willing", size="XS")
    ours, theirs = fingerprint(history), fingerprint(tmp_path / "willing")
    assert ours.keys() == theirs.keys()
    moved = {name for name in ours if ours[name] != theirs[name]}
    assert moved
    assert all(Path(name).name.startswith("consents") for name in moved), moved


def test_stores_sell_while_they_are_open(history: Path) -> None:
    [(first, last)] = query(
        history,
        "select min(hour(sold_at + interval 7 hours)), max(hour(sold_at + interval 7 hours)) "
        "from '{tills}/*/receipts.csv'",
    )
    assert (first, last) == (9, 20)


def test_surveys_stay_within_their_scale(history: Path) -> None:
    found = query(
        history,
        "select kind, scale_max, min(score), max(score) from read_json('{shop}/surveys-*.ndjson', "
        "format = 'newline_delimited') group by 1, 2 order by 1",
    )
    assert [row[:2] for row in found] == [("csat", 5), ("lifestyle", 5), ("nps", 10)]
    assert found.pop(1)[2] is None, "what matters to people is no score"
    assert all(low >= (1 if kind == "csat" else 0) and high <= scale
               for kind, scale, low, high in found)  # fmt: skip
