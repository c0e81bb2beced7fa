"""Every request and answer of a scripted conversation keeps the vendor's published contract."""

import json

import pytest
from mail_contract import Contract, ContractClient
from mail_platform import LIST

from sandbox.mailchimp.app import _OPERATIONS
from sandbox.mailchimp.store import subscriber_hash

pytestmark = pytest.mark.specs

MEMBERS = f"/lists/{LIST}/members"
NOT_SIMULATED = ("/batches",)


def test_the_whole_conversation_keeps_the_contract(client: ContractClient) -> None:
    address = "quynh@example.com"
    path = f"{MEMBERS}/{subscriber_hash(address)}"
    new = {
        "email_address": address,
        "status_if_new": "subscribed",
        "merge_fields": {"FNAME": "Quỳnh", "LNAME": "Đỗ"},
    }
    assert client.get("/ping")["health_status"]
    assert client.get("/lists")["lists"][0]["id"] == LIST
    assert client.get(f"/lists/{LIST}")["stats"]["member_count"] > 20
    assert client.call("GET", path)[0] == 404
    assert client.call("PUT", path, new)[1]["full_name"] == "Đỗ Quỳnh"
    assert client.call("PATCH", path, {"vip": True})[1]["vip"] is True
    assert client.call("POST", f"{path}/tags", _tag("cart", "active"))[0] == 204
    assert [tag["name"] for tag in client.get(f"{path}/tags")["tags"]] == ["cart"]
    assert client.get(f"/lists/{LIST}/tag-search", name="ca")["total_items"] == 1
    assert client.get(path)["tags_count"] == 1
    assert client.get(f"{path}/activity-feed")["activity"] == []
    assert client.call("DELETE", path)[0] == 204
    assert client.get(path)["status"] == "archived"
    assert client.call("POST", f"{path}/actions/delete-permanent")[0] == 204
    assert client.call("PUT", path, new)[1]["title"] == "Forgotten Email Not Subscribed"


def test_merge_fields_and_segments_keep_the_contract(client: ContractClient) -> None:
    field = {"tag": "LASTITEM", "name": "Last item", "type": "text"}
    merge_fields = f"/lists/{LIST}/merge-fields"
    assert client.call("POST", merge_fields, field)[1]["merge_id"] == 5
    assert client.call("POST", merge_fields, field)[0] == 400
    assert client.get(merge_fields)["total_items"] == 5
    segment = {"name": "spring", "static_segment": ["person02@example.com"]}
    status, made = client.call("POST", f"/lists/{LIST}/segments", segment)
    assert (status, made["member_count"]) == (200, 1)
    change = {"members_to_add": ["person03@example.com", "nobody@example.com"],
              "members_to_remove": ["person02@example.com"]}  # fmt: skip
    path = f"/lists/{LIST}/segments/{made['id']}"
    _, changed = client.call("POST", path, change)
    assert (changed["total_added"], changed["total_removed"], changed["error_count"]) == (1, 1, 1)
    assert client.get(f"{path}/members")["total_items"] == 1
    assert client.get(f"/lists/{LIST}/segments")["total_items"] >= 1


def test_reports_keep_the_contract_and_add_up(client: ContractClient) -> None:
    assert client.get("/campaigns")["total_items"] == 2
    assert client.get("/campaigns/c1")["emails_sent"] == 25
    assert client.get("/campaigns/c2")["status"] == "save"
    assert client.get("/reports")["total_items"] == 1
    report = client.get("/reports/c1")
    recipients = client.get("/reports/c1/sent-to", count=1000)["sent_to"]
    activity = client.get("/reports/c1/email-activity", count=1000)["emails"]
    actions = [act["action"] for email in activity for act in email["activity"]]
    assert report["emails_sent"] == len(recipients) == len(activity) == 25
    assert report["opens"]["opens_total"] == actions.count("open") == 10
    assert report["opens"]["opens_total"] == sum(r["open_count"] for r in recipients)
    assert report["clicks"]["clicks_total"] == actions.count("click") == 3
    assert report["bounces"]["hard_bounces"] == actions.count("bounce") == 1
    assert report["unsubscribed"] == client.get("/reports/c1/unsubscribed")["total_items"] == 1
    assert client.get("/reports/c1/open-details")["total_opens"] == 10
    (link,) = client.get("/reports/c1/click-details")["urls_clicked"]
    assert (link["url"], link["total_clicks"], link["unique_clicks"]) == (
        "https://shop.example/x", 3, 3,
    )  # fmt: skip
    followed = f"/reports/c1/click-details/{link['id']}/members"
    assert sum(one["clicks"] for one in client.get(followed)["members"]) == 3
    assert client.call("GET", "/reports/c1/click-details/999/members")[0] == 404
    assert client.get("/ecommerce/stores")["stores"] == []  # no shop beside this platform
    one = f"/reports/c1/email-activity/{recipients[1]['email_id']}"
    assert [act["action"] for act in client.get(one)["activity"]] == ["open", "click"]
    later = client.get("/reports/c1/email-activity", since="2024-03-02T00:00:00+00:00")
    assert sum(len(email["activity"]) for email in later["emails"]) == 3
    feed = client.get(f"{MEMBERS}/{recipients[1]['email_id']}/activity-feed")["activity"]
    assert {item["activity_type"] for item in feed} == {"sent", "open", "click", "unsub"}


def test_a_batch_tells_of_each_refused_member(client: ContractClient) -> None:
    path = f"/lists/{LIST}"
    members = [
        {"email_address": "batch1@example.com", "status": "subscribed"},
        {"email_address": "batch1@example.com", "status": "subscribed"},
        {"email_address": "no address", "status": "subscribed"},
        {"email_address": "person05@example.com", "status": "subscribed"},
    ]
    status, answer = client.call("POST", path, {"members": members})
    assert status == 200
    assert (answer["total_created"], answer["total_updated"], answer["error_count"]) == (1, 0, 3)
    assert [error["error_code"] for error in answer["errors"]] == [
        "ERROR_GENERIC",
        "ERROR_GENERIC",
        "ERROR_CONTACT_EXISTS",
    ]
    change = {"email_address": "person05@example.com", "status": "unsubscribed"}
    body = {"members": [change], "update_existing": True}
    assert client.call("POST", path, body)[1]["total_updated"] == 1
    too_many = {"members": [{"email_address": f"m{n}@example.com"} for n in range(501)]}
    assert client.call("POST", path, too_many)[0] == 400


def test_every_json_body_refuses_a_bare_number(client: ContractClient, contract: Contract) -> None:
    """The proof that the validator can fail: both it and the platform say no to 12345."""
    bodies = [
        (method, path)
        for method, path in sorted(_OPERATIONS)
        if method in ("POST", "PUT", "PATCH") and not path.endswith("delete-permanent")
    ]
    assert len(bodies) == 8
    for method, template in bodies:
        path = template.format(list_id=LIST, subscriber_hash="0" * 32, segment_id="1")
        status, answer = client.call(method, path, 12345, is_valid=False)
        assert (status, answer["title"]) == (400, "Invalid Resource")


def test_a_broken_answer_is_noticed(client: ContractClient, contract: Contract) -> None:
    page = client.get(MEMBERS, count=1)
    for key, wrong in (("id", 5), ("last_changed", "yesterday"), ("status", "gone"), ("mail", "")):
        broken = json.loads(json.dumps(page))
        broken["members"][0][key] = wrong
        body = json.dumps(broken).encode()
        assert contract.response_problem("GET", MEMBERS, 200, body, "application/json"), key
    problem = json.dumps({"type": "about:blank", "title": "No"}).encode()
    kind = "application/problem+json"
    assert contract.response_problem("GET", MEMBERS, 404, problem, kind)


def test_the_platform_offers_only_operations_of_the_contract(contract: Contract) -> None:
    offered = set(_OPERATIONS)
    missing = {path for _, path in contract.operations - offered}
    assert offered <= contract.operations
    assert all(any(part in path for part in NOT_SIMULATED) for path in missing)


def _tag(name: str, status: str) -> dict[str, list[dict[str, str]]]:
    return {"tags": [{"name": name, "status": status}]}
