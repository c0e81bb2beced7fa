"""Every request that the Mailchimp channel sends keeps the vendor's published contract."""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from activation_shop import Shop, people
from mail_contract import Contract

from activation.apply import apply_plan
from activation.channels import http
from activation.channels.base import Batch
from activation.channels.mailchimp import Mailchimp
from activation.consent import WithdrawalRow
from activation.plan import make_plan
from khach.environment import PROJECT

pytestmark = pytest.mark.specs


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, str]]]:
    """Methods and paths sent; a request that breaks the contract fails the test."""
    contract = Contract(PROJECT.parent / "shared" / "specs")
    seen: list[tuple[str, str]] = []
    problems: list[str] = []
    send = http.requests.Session.request

    def judged(
        session: Any, method: str, url: str, json: Mapping[str, Any] | None = None, **rest: Any
    ) -> Any:
        parts = urlsplit(url)
        path = parts.path.removeprefix("/3.0")
        body = http.requests.Request(method, url, json=json).prepare().body
        data = body.encode() if isinstance(body, str) else body
        query = dict(parse_qsl(parts.query))
        if problem := contract.request_problem(method, path, query, data or None):
            problems.append(f"{method} {problem}")
        seen.append((method, re.sub("[0-9a-f]{10,}", "*", path)))
        return send(session, method, url, json=json, **rest)

    monkeypatch.setattr(http.requests.Session, "request", judged)
    yield seen
    assert not problems


def test_a_life_in_an_audience_keeps_the_contract(shop: Shop, sent: list[tuple[str, str]]) -> None:
    persons = people(3)
    for present in (persons, persons[:2]):
        shop.publish(present)
        plan = make_plan(shop.env, "cart_email")
        apply_plan(shop.env, plan.plan_id, [one.guard for one in plan.tripped])
    member, fields = "/lists/*/members/*", "/lists/*/merge-fields"
    assert {("GET", fields), ("POST", fields), ("PUT", member), ("POST", f"{member}/tags")} == set(
        sent
    )


def test_suppressing_and_reading_back_keep_the_contract(
    shop: Shop, sent: list[tuple[str, str]]
) -> None:
    shop.publish(people(1))
    apply_plan(shop.env, make_plan(shop.env, "cart_email").plan_id)
    list_id = shop.variables["MAILCHIMP_LIST_ID"]
    channel = Mailchimp(shop.env, {"list": list_id, "tag": "cart-abandoner"})
    ((member_id,),) = shop.remote("select member_id from members where list_id = $list")
    here, stranger = WithdrawalRow(member_id), WithdrawalRow("0" * 32)
    assert [m.is_held for m in channel.read_back([here, stranger])] == [True, False]
    codes = [outcome.code for outcome in channel.suppress(Batch("b", "p", "s", [here, stranger]))]
    assert codes == ["unsubscribed", "not_held"]
    assert channel.remove(Batch("b", "p", "s", [here, stranger]))[0].status == "acknowledged"
    assert ("PATCH", "/lists/*/members/*") in sent
