"""A process that plans and sends and kills itself at the n-th line of activation.

Its platforms write what they do into a journal, one line for each effect: the truth that outlives
every process.
"""

import json
import os
import re
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import activation
from activation.apply import apply_plan
from activation.channels import CHANNELS
from activation.channels.base import Batch, Channel, Outcome
from activation.channels.capabilities import Capabilities
from activation.plan import make_plan
from activation.recovery import settle
from khach.environment import Environment

# Where something is sent or recorded; a kill while files are read would prove little.
_KILLABLE = {
    str(Path(activation.__file__).with_name(f"{name}.py"))
    for name in (
        "apply",
        "delivery",
        "sending",
        "intents",
        "outcomes",
        "ledger",
        "leases",
        "recovery",
        "resending",
    )
} | {__file__}


class Journalling(Channel):
    """A platform that does what it is asked and writes it down."""

    journal: Path
    capabilities = Capabilities(
        consent_channel=None,
        remote={},
        field_name=re.compile("[a-z]+"),
        remote_id_sql="identifier_hash",
        batch_size=3,
        kinds=frozenset({"membership", "message"}),
    )

    def __init__(self, env: Environment, remote: Mapping[str, str]) -> None:
        del env, remote

    def upsert(self, batch: Batch[Any]) -> list[Outcome]:
        return [self._write("put", batch, row) for row in batch.rows]

    def remove(self, batch: Batch[Any]) -> list[Outcome]:
        return [self._write("remove", batch, row) for row in batch.rows]

    def send(self, batch: Batch[Any]) -> list[Outcome]:
        return [self._write("message", batch, row) for row in batch.rows]

    def _write(self, action: str, batch: Batch[Any], row: Any) -> Outcome:
        fields = dict(getattr(row, "fields", {}))
        what = [action, row.remote_id, row.row_id, batch.batch_id, fields]
        with self.journal.open("a", encoding="utf-8", buffering=1) as journal:
            journal.write(json.dumps(what) + "\n")
        return Outcome("acknowledged")


class Idempotent(Journalling):
    """A batch that comes again takes effect once."""

    capabilities = Capabilities(
        **{**vars(Journalling.capabilities), "is_idempotent": True}
    )  # fmt: skip

    def _write(self, action: str, batch: Batch[Any], row: Any) -> Outcome:
        done = [line[1:4] for line in read_journal(self.journal)]
        if [row.remote_id, row.row_id, batch.batch_id] in done:
            return Outcome("acknowledged")
        return super()._write(action, batch, row)


def read_journal(journal: Path) -> list[list[Any]]:
    """Every effect that took place, in order."""
    if not journal.exists():
        return []
    return [json.loads(line) for line in journal.read_text(encoding="utf-8").splitlines()]


def live(
    folders: Sequence[Path], channel: str, syncs: Sequence[str], kill_at: int, lines_to: Path
) -> None:
    """Settle, then plan and apply every sync; dies at line `kill_at` (-1: lives on)."""
    home, config, project, journal = folders
    Journalling.journal = journal
    CHANNELS["journal"] = {"Journalling": Journalling, "Idempotent": Idempotent}[channel]
    env = Environment("sandbox", home, config, home, project)
    lines = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal lines
        if frame.f_code.co_filename not in _KILLABLE:
            return None
        lines += event == "line"
        if lines == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace

    threading.settrace(trace)
    sys.settrace(trace)
    settle(env)
    for sync in syncs:
        apply_plan(env, make_plan(env, sync).plan_id)
    sys.settrace(None)
    lines_to.write_text(str(lines), encoding="utf-8")
