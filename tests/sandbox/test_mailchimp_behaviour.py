"""What the platform does and remembers: rules of the vendor, the effect log, the inbox, kills."""

import os
import signal
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from mail_contract import ContractClient
from mail_platform import FIRST, KEY, LIST, effects, fill, member, rows, write_day

from sandbox import mailchimp
from sandbox.mailchimp.app import SIMULTANEOUS, ConnectionLimit
from sandbox.mailchimp.store import subscriber_hash
from sandbox.processes import has_ended, is_alive

MEMBERS = f"/lists/{LIST}/members"
LATER = datetime(2024, 3, 5, tzinfo=UTC)


def put(client: ContractClient, address: str, **fields: Any) -> tuple[int, Any]:
    body = {"email_address": address, "status_if_new": "subscribed", **fields}
    return client.call("PUT", f"{MEMBERS}/{subscriber_hash(address)}", body)


def test_an_address_has_the_vendors_own_hash() -> None:
    # The example of Mailchimp's documentation, in another case.
    assert subscriber_hash("Urist.McVankab@freddiesjeans.com") == "933a0e9bc62d3e7281b5f9df597f94a8"


def test_repeated_requests_have_one_effect(
    platform: tuple[Path, str], client: ContractClient
) -> None:
    address = "repeat@example.com"
    path = f"{MEMBERS}/{subscriber_hash(address)}"
    for _ in range(3):
        assert put(client, address, merge_fields={"FNAME": "An"})[0] == 200
        for status in ("active", "active", "inactive", "inactive"):
            tags = {"tags": [{"name": "cart", "status": status}]}
            assert client.call("POST", f"{path}/tags", tags)[0] == 204
    assert put(client, address, merge_fields={"FNAME": "Bình"})[0] == 200
    assert client.call("PATCH", path, {"status": "unsubscribed"})[0] == 200
    assert client.call("DELETE", path)[0] == 204
    assert client.call("DELETE", path)[0] == 404
    tagging = [("tag_added", "cart"), ("tag_removed", "cart")]
    assert effects(platform[0], subscriber_hash(address)) == [
        ("member_created", None),
        *(tagging * 3),
        ("member_updated", None),
        ("unsubscribed", None),
        ("archived", None),
    ]


def test_the_same_member_put_by_many_at_once_is_created_once(
    platform: tuple[Path, str], client: ContractClient
) -> None:
    address = "crowd@example.com"
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: put(client, address)[0], range(40)))
    assert set(answers) <= {200, 429}
    assert effects(platform[0], subscriber_hash(address)) == [("member_created", None)]


def test_what_the_platform_refuses(client: ContractClient) -> None:
    left = "person01@example.com"  # unsubscribed from campaign c1 by its own hand
    path = f"{MEMBERS}/{subscriber_hash(left)}"
    assert client.call("PATCH", path, {"status": "subscribed"})[1]["title"] == (
        "Member In Compliance State"
    )
    assert put(client, left)[1]["status"] == "unsubscribed"
    assert client.call("PATCH", path, {"status": "pending"})[1]["status"] == "pending"
    again = {"email_address": "person02@example.com", "status": "subscribed"}
    assert client.call("POST", MEMBERS, again)[1]["title"] == "Member Exists"
    assert put(client, "not an address")[0] == 400
    wrong = {"email_address": "a@example.com", "status_if_new": "subscribed"}
    assert client.call("PUT", f"{MEMBERS}/{'0' * 32}", wrong)[0] == 400
    assert client.call("GET", "/lists/none/members")[0] == 404
    assert client.call("GET", MEMBERS, since_last_changed="yesterday")[0] == 400
    # A merge field the list does not have is dropped without a word; null is not a value.
    assert (
        "SHOE"
        not in put(client, "fields@example.com", merge_fields={"SHOE": 42})[1]["merge_fields"]
    )
    answer = put(client, "null@example.com", merge_fields={"FNAME": None})
    assert (answer[0], answer[1]["errors"][0]["field"]) == (400, "merge_fields.FNAME")


def test_pages_are_complete_and_do_not_overlap(client: ContractClient) -> None:
    whole = client.get(MEMBERS, count=1000)
    total = whole["total_items"]
    assert len(client.get(MEMBERS)["members"]) == 10
    pages = [client.get(MEMBERS, count=7, offset=o)["members"] for o in range(0, total, 7)]
    assert [m["id"] for page in pages for m in page] == [m["id"] for m in whole["members"]]
    assert client.call("GET", MEMBERS, count=1001, is_valid=False)[0] == 400
    fields = client.get(MEMBERS, fields="total_items,members.id,members.tags.name", count=2)
    assert set(fields) == {"total_items", "members"}
    assert fields["members"][0] == {"id": whole["members"][0]["id"], "tags": [{"name": "vip"}]}
    slim = client.get(MEMBERS, exclude_fields="members.merge_fields,list_id", count=1)
    assert "list_id" not in slim
    assert "merge_fields" not in slim["members"][0]


def test_only_what_changed_since_is_listed(client: ContractClient) -> None:
    changed = client.get(MEMBERS, since_last_changed=FIRST.isoformat(), count=1000)["members"]
    assert all(m["last_changed"] > FIRST.isoformat() for m in changed)
    assert subscriber_hash("person01@example.com") in {m["id"] for m in changed}
    assert subscriber_hash("person20@example.com") not in {m["id"] for m in changed}


def test_a_missing_or_wrong_key_is_refused(platform: tuple[Path, str]) -> None:
    url = f"{platform[1]}/lists"
    assert requests.get(url, timeout=5).json()["title"] == "API Key Missing"
    wrong = requests.get(url, auth=("any", "wrong"), timeout=5)
    assert (wrong.status_code, wrong.json()["title"]) == (401, "API Key Invalid")
    bearer = {"Authorization": f"Bearer {KEY}"}
    assert requests.get(url, headers=bearer, timeout=5).status_code == 200
    assert requests.get(f"{url}/../nowhere", auth=("any", KEY), timeout=5).status_code == 404


def test_the_eleventh_request_in_flight_is_refused() -> None:
    import asyncio

    async def scenario() -> list[int]:
        release = asyncio.Event()
        seen: list[int] = []

        async def slow(_scope: Any, _receive: Any, send: Any) -> None:
            await release.wait()
            await send({"type": "http.response.start", "status": 200, "headers": []})

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                seen.append(message["status"])

        async def receive() -> Any:
            return {"type": "http.request"}

        limit = ConnectionLimit(slow)
        calls = [
            asyncio.create_task(limit({"type": "http"}, receive, send))  # type: ignore[arg-type]
            for _ in range(SIMULTANEOUS + 1)
        ]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        release.set()
        await asyncio.gather(*calls)
        await limit({"type": "http"}, receive, send)  # type: ignore[arg-type]
        return seen

    assert asyncio.run(scenario()) == [429] + [200] * (SIMULTANEOUS + 1)


def test_no_address_or_name_is_in_any_log(
    platform: tuple[Path, str], client: ContractClient
) -> None:
    address = "canary.kieu@example.com"
    put(client, address, merge_fields={"FNAME": "Canary"})
    client.get(f"{MEMBERS}/{address}")  # the contract allows the address in the hash's place
    requests.get(f"{client.url}/lists", params={"email": address}, auth=("x", KEY), timeout=5)
    requests.get(f"{client.url}/nowhere/{address}", auth=("x", KEY), timeout=5)
    paths = [path for (path,) in rows(platform[0], "select path from requests")]
    assert f"/3.0{MEMBERS}/{subscriber_hash(address)}" in paths
    assert not any("@" in path or "%40" in path for path in paths)
    assert "@" not in str(rows(platform[0], "select * from effects"))
    assert "canary" not in (platform[0] / "logs" / "mailchimp.log").read_text().lower()


def test_a_day_is_loaded_exactly_once_and_whole(tmp_path: Path) -> None:
    fill(tmp_path)
    before = _everything(tmp_path)
    assert mailchimp.load_inbox(tmp_path) == {}
    assert _everything(tmp_path) == before
    broken = {"sends": [["c1", "person01@example.com", "sent"]]}
    write_day(tmp_path, "2024-03-03", members=[member("late@example.com", LATER)], **broken)
    (tmp_path / "mailchimp/inbox/2024-03-03/activity.parquet").write_bytes(b"cut off")
    with pytest.raises(Exception, match=r"(?i)parquet"):
        mailchimp.load_inbox(tmp_path)
    assert _everything(tmp_path) == before


def test_a_member_who_comes_back_in_the_inbox_is_updated(tmp_path: Path) -> None:
    fill(tmp_path)
    left, stays = subscriber_hash("person01@example.com"), subscriber_hash("person02@example.com")
    again = [member("Person01@example.com", LATER, "vip", "back"),
             member("person02@example.com", FIRST, "vip")]  # fmt: skip
    write_day(tmp_path, "2024-03-05", members=again)
    mailchimp.load_inbox(tmp_path)
    state = "select status, last_changed, is_refused from members where member_id = ?"
    assert rows(tmp_path, state, left) == [("subscribed", "2024-03-05T00:00:00+00:00", 0)]
    assert effects(tmp_path, left) == [
        ("member_created", None),
        ("tag_added", "vip"),
        ("unsubscribed", None),
        ("member_updated", None),
        ("tag_added", "back"),
    ]
    assert effects(tmp_path, stays) == [("member_created", None), ("tag_added", "vip")]


def test_a_killed_platform_comes_back_with_its_state(
    tmp_path: Path, client: ContractClient
) -> None:
    fill(tmp_path)
    first = mailchimp.start(tmp_path, KEY)
    assert mailchimp.start(tmp_path, KEY) == first
    mine = ContractClient(first["url"], KEY, client.contract)
    put(mine, "survivor@example.com")
    os.kill(first["pid"], signal.SIGKILL)
    assert has_ended(first["pid"], seconds=5)
    second = mailchimp.start(tmp_path, KEY)
    try:
        mine = ContractClient(second["url"], KEY, client.contract)
        assert mine.get(f"{MEMBERS}/{subscriber_hash('survivor@example.com')}")["id"]
        put(mine, "survivor@example.com")
        assert effects(tmp_path, subscriber_hash("survivor@example.com")) == [
            ("member_created", None)
        ]
    finally:
        assert mailchimp.stop(tmp_path)
    assert not mailchimp.stop(tmp_path)
    assert not is_alive(second["pid"])


def test_changes_lie_on_the_simulated_time_line(tmp_path: Path, client: ContractClient) -> None:
    fill(tmp_path)
    (tmp_path / "clock.json").write_text('{"now": "2024-03-02T19:00:00Z"}')
    running = mailchimp.start(tmp_path, KEY)
    try:
        mine = ContractClient(running["url"], KEY, client.contract)
        assert put(mine, "new@example.com")[1]["last_changed"] == "2024-03-02T19:00:00+00:00"
    finally:
        mailchimp.stop(tmp_path)


def _everything(root: Path) -> list[str]:
    with closing(sqlite3.connect(root / "mailchimp" / "state.sqlite")) as state:
        return list(state.iterdump())
