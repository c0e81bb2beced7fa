"""Twenty real kills in a row: the list ends as it ought to, and nobody is told twice."""

import multiprocessing
import random
import signal
from collections import Counter
from dataclasses import replace
from pathlib import Path

import killed_child
import pytest
from activation_shop import AUDIENCE, Shop, people

from activation.channels import CHANNELS

_LOOSE = {"max_removal_share": 1, "max_change_share": 9, "max_input_age_hours": 10**6}
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["activation.apply", "activation.recovery"])


def prepare(shop: Shop, monkeypatch: pytest.MonkeyPatch, channel: str) -> None:
    monkeypatch.setitem(CHANNELS, "journal", getattr(killed_child, channel))
    common = {"channel": "journal", "consent_channel": "email", "remote": {}}
    entry = {"cool_down_days": 400, "valid_for_hours": 8000}
    syncs = [
        common | {"id": "cart_list", "kind": "membership", "fields": {"item": "last_cart_item"}},
        common | {"id": "cart_text", "kind": "message", "fields": {"body": "Hello"},
                  "on_enter": entry},
    ]  # fmt: skip
    shop.audience(AUDIENCE, syncs=syncs, guards=_LOOSE)


def run(shop: Shop, channel: str, kill_at: int) -> int | None:
    """How many lines ran, or None: it was killed."""
    lines = shop.env.home / "lines"
    lines.unlink(missing_ok=True)
    folders = [shop.env.home, shop.env.config, shop.env.project, journal(shop)]
    child = _PROCESSES.Process(
        target=killed_child.live,
        args=(folders, channel, ["cart_list", "cart_text"], kill_at, lines),
    )
    child.start()
    child.join(120)
    assert child.exitcode in (0, -signal.SIGKILL)
    return int(lines.read_text()) if child.exitcode == 0 else None


def journal(shop: Shop) -> Path:
    return shop.env.home / "journal"


def check_kills(shop: Shop, channel: str, *, seed: int, kills: int) -> None:
    print(f"seed {seed}")  # noqa: T201 - a failure must be repeatable
    draw = random.Random(seed)
    persons = people(10)
    longest = 400
    done = 0
    for day in range(4 * kills):
        persons = [
            replace(p, carts=draw.choice([1, 1, 0]), item=draw.choice(["shoe", "hat"]))
            if draw.random() < 0.5 else p
            for p in persons
        ]  # fmt: skip
        shop.publish(persons, day=day)
        lived = run(shop, channel, draw.randrange(1, longest))
        done += lived is None
        longest = max(longest, lived or 0)
        if done == kills:
            break
    assert done == kills
    for _ in range(2):
        run(shop, channel, -1)
    members: dict[str, dict[str, str]] = {}
    told: Counter[str] = Counter()
    for action, remote_id, _, _, fields in killed_child.read_journal(journal(shop)):
        if action == "put":
            members[remote_id] = fields
        elif action == "remove":
            members.pop(remote_id, None)
        else:
            told[remote_id] += 1
    hashes = {sha256(p.email): {"item": p.item} for p in persons if p.carts}
    assert members == hashes
    assert set(told.values()) <= {1}, "somebody was told twice"
    unknown = {row[0] for row in shop.state(
        "select identifier_hash from messages where status = 'unknown'")}  # fmt: skip
    assert told.keys() | unknown >= hashes.keys()
    assert channel != "Idempotent" or not unknown - told.keys()
    assert shop.state("select count(*) from sync_intents") == [(0,)]


def sha256(text: str | None) -> str:
    import hashlib

    return hashlib.sha256(str(text).encode()).hexdigest()


def test_twenty_kills_in_a_row_leave_the_list_right_and_nobody_told_twice(
    bare_shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(bare_shop, monkeypatch, "Journalling")
    check_kills(bare_shop, "Journalling", seed=random.randrange(10**6), kills=20)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("channel", ["Journalling", "Idempotent"])
def test_many_kills_in_a_row_leave_the_list_right_and_nobody_told_twice(
    bare_shop: Shop, monkeypatch: pytest.MonkeyPatch, channel: str, seed: int
) -> None:
    prepare(bare_shop, monkeypatch, channel)
    check_kills(bare_shop, channel, seed=seed, kills=20)
