"""Messages through Zalo: refusals hide in answers of 200, success is not delivery."""

from typing import Any

import pytest
from activation_shop import Shop
from fake_platforms import Platforms, batch, number, row

from activation.audiences import load_audiences
from activation.channels.zalo_zns import ZaloZns
from activation.policy import PolicyFile
from khach.errors import ConfigError

FIELDS = {"customer_name": "chị Lan", "product_name": "Sải Chạy"}


@pytest.fixture
def zalo(platforms: Platforms) -> ZaloZns:
    return channel(platforms)


def channel(platforms: Platforms, template: str = "") -> ZaloZns:
    return ZaloZns(
        platforms.env, {"template": template or platforms.variables["ZALO_CART_TEMPLATE"]}
    )


def test_a_message_is_taken_over_and_later_delivered(platforms: Platforms, zalo: ZaloZns) -> None:
    platforms.fate("zalo", number(2)[1:], "unreachable")
    outcomes = zalo.send(batch(row(1, number(1), **FIELDS), row(2, number(2), **FIELDS)))
    assert [one.status for one in outcomes] == ["acknowledged"] * 2
    first = platforms.effects("zalo")[0]["content"]
    sent = {
        "phone": number(1)[1:],
        "template_id": platforms.variables["ZALO_CART_TEMPLATE"],
        "template_data": FIELDS,
        "tracking_id": "row-1",
    }
    assert first == sent or platforms.effects("zalo")[1]["content"] == sent
    handles = [str(one.handle) for one in outcomes]
    told = [[one.status for one in zalo.poll(handles)] for _ in range(2)]
    assert told == [["submitted", "submitted"], ["delivered", "submitted"]]


def test_a_message_that_zalo_does_not_hold_is_unknown(zalo: ZaloZns) -> None:
    (lost,) = zalo.poll(["0" * 32])
    assert (lost.status, lost.code) == ("unknown", "not_held")


@pytest.mark.parametrize(
    ("identifier", "fate", "fields", "code"),
    [
        ("+842838223344", "fine", FIELDS, "-108"),
        (number(11), "no_account", FIELDS, "-118"),
        (number(12), "refused", FIELDS, "-141"),
        (number(13), "fine", {"customer_name": "chị Lan"}, "-112"),
    ],
)
def test_a_refusal_in_an_answer_of_200_is_a_refusal(
    platforms: Platforms,
    zalo: ZaloZns,
    *,
    identifier: str,
    fate: str,
    fields: dict[str, str],
    code: str,
) -> None:
    platforms.fate("zalo", identifier[1:], fate)
    bad, good = zalo.send(batch(row(1, identifier, **fields), row(2, number(14), **FIELDS)))
    assert (bad.status, bad.code) == ("rejected", code)
    assert bad.message
    assert good.status == "acknowledged"
    assert platforms.recipients("zalo") == [number(14)[1:]]
    assert {one["status"] for one in platforms.requests("zalo")} == {200}


@pytest.mark.parametrize("code", [-115, -144])
def test_an_empty_purse_or_quota_refuses_nobody(
    platforms: Platforms, zalo: ZaloZns, code: int
) -> None:
    platforms.inject("zalo", "error", code=code)
    (outcome,) = zalo.send(batch(row(1, number(21), **FIELDS)))
    assert (outcome.status, outcome.code) == ("unanswered", str(code))


@pytest.mark.parametrize(
    ("fault", "detail", "happened"),
    [
        ("error", {"code": -100}, 0),
        ("drop_after", {}, 1),
        ("stall_after", {"seconds": 3}, 1),
        ("refuse_after", {"status": 500}, 1),
        ("refuse_after", {"status": 200, "body": {}}, 1),
    ],
)
def test_where_nobody_knows_the_message_is_unknown_and_never_repeated(
    platforms: Platforms, zalo: ZaloZns, fault: str, detail: dict[str, Any], happened: int
) -> None:
    platforms.inject("zalo", fault, **detail)
    (outcome,) = zalo.send(batch(row(1, number(22), **FIELDS)))
    assert outcome.status == "unknown"
    assert len(platforms.requests("zalo")) == 1
    assert len(platforms.effects("zalo")) == happened


def test_words_are_masked(platforms: Platforms, zalo: ZaloZns) -> None:
    phone = number(23)
    words = f"{phone[1:]} of chị Lan is no number"
    platforms.inject("zalo", "refuse", status=200, body={"error": -108, "message": words})
    (outcome,) = zalo.send(batch(row(1, phone, **FIELDS)))
    assert outcome.message
    assert "Lan" not in outcome.message
    assert phone[3:] not in outcome.message


def test_the_template_is_checked_before_anything_is_sent(
    platforms: Platforms, zalo: ZaloZns
) -> None:
    zalo.prepare(sorted(FIELDS))
    with pytest.raises(ConfigError) as caught:
        zalo.prepare(["customer_name", "product"])
    assert caught.value.key == "fields"
    assert {"product_name", "product"} <= set(caught.value.message.replace(",", "").split())
    with pytest.raises(ConfigError) as caught:
        channel(platforms, "999999").prepare(sorted(FIELDS))
    assert caught.value.key == "remote.template"
    assert platforms.effects("zalo") == []


def test_a_token_that_ran_out_is_said_and_refuses_nobody(
    platforms: Platforms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZALO_ACCESS_TOKEN", "old")
    zalo = channel(platforms)
    for act in (lambda: zalo.prepare(sorted(FIELDS)), lambda: zalo.poll(["0" * 32])):
        with pytest.raises(ConfigError) as caught:
            act()
        assert caught.value.key == "ZALO_ACCESS_TOKEN"
    (outcome,) = zalo.send(batch(row(1, number(24), **FIELDS)))
    assert (outcome.status, outcome.code) == ("unanswered", "-124")


@pytest.mark.parametrize(
    ("templates", "fields", "purpose", "words"),
    [
        ({}, {"name": "x"}, "service", "is not declared"),
        ({"fields": ["name"], "tag": "care"}, {"nmae": "x"}, "service", "no parameter 'nmae'"),
        ({"fields": ["name", "store"], "tag": "care"}, {"name": "x"}, "service", "is missing"),
        ({"fields": ["name"], "tag": "care"}, {"name": "x"}, "marketing", "must not carry"),
        ({"fields": ["name"], "tag": "care"}, {"name": "x"}, "service", None),
        ({"fields": ["name"], "tag": "promotion"}, {"name": "x"}, "marketing", None),
    ],
)  # fmt: skip
def test_only_a_declared_template_with_its_parameters_and_tag_is_right(
    templates: dict[str, Any], fields: dict[str, str], purpose: str, words: str | None
) -> None:
    declared = {"ZALO_TEMPLATE": templates} if templates else {}
    policy = PolicyFile.model_validate({"zalo_templates": declared})
    found = ZaloZns.mistake({"template": "ZALO_TEMPLATE"}, fields, purpose, policy)
    assert words in found.message if found and words else found is words


def test_a_mistake_that_only_the_channel_knows_is_named_with_file_and_line(bare_shop: Shop) -> None:
    sync = {
        "id": "cart_zalo", "kind": "message", "channel": "zalo_zns",
        "remote": {"template": "ZALO_TEMPLATE"}, "fields": {"name": "x"},
        "on_enter": {"cool_down_days": 14, "valid_for_hours": 72},
    }  # fmt: skip
    bare_shop.audience(syncs=[sync])
    with pytest.raises(ConfigError) as caught:
        load_audiences(bare_shop.env)
    assert (caught.value.key, caught.value.line is not None) == ("syncs.0.remote.template", True)
    assert "zalo_templates" in str(caught.value.fix)
