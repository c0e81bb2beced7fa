"""The schema contract and the quarantine of vendors' answers: fields, flips, rows read again."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any

import pytest
from landed_data import Configure, quarantined, rows_of

from ingestion.contract import ContractError
from ingestion.quarantine import read_quarantine
from ingestion.replay import replay
from ingestion.rest import Answer
from ingestion.run import ingest
from ingestion.sources import mailchimp, square, woocommerce
from khach.environment import Environment
from khach.errors import ConfigError
from khach.state import open_state

NEW = {"loyaltyTier": "gold", "more": [1, {"a": 1.5}]}


@dataclass
class Vendor:
    """Answers of an API, a page for each path: items by the path's end."""

    kind: str
    items: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def send(self, _method: str, path: str, **_asked: Any) -> Answer:
        found = [{**one, "_links": [{"href": "x"}]} for one in self.found(path)]
        if self.kind == "woocommerce":
            headers = {"X-WP-Total": str(len(found)), "X-WP-TotalPages": "1"}
            return Answer(json.dumps(found).encode(), headers)
        name = path.removesuffix("/search").rpartition("/")[2]
        name = {"list": "objects", "email-activity": "emails"}.get(name, name)
        return Answer(json.dumps({name: found, "total_items": len(found)}).encode(), {})

    def get(self, path: str, _params: Any) -> bytes:
        return self.send("GET", path).body

    def found(self, path: str) -> list[dict[str, Any]]:
        path = path.removeprefix("v2/").removesuffix("/search").removesuffix("/list")
        return self.items.get(path) or self.items.get(path.rpartition("/")[2], [])


@dataclass(frozen=True)
class Kind:
    """Of a vendor: a table, rows of it, a field that flips, and another table's row."""

    module: ModuleType
    area: str
    table: str
    row: Callable[[int], dict[str, Any]]
    flipped: tuple[str, Any, str, str]  # field, new value, old and new type
    bad: tuple[str, Any]  # a field's value that is wrong by its comma
    other: str
    other_row: dict[str, Any]
    base: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


AT = "2026-01-01T00:00:0{}Z"
KINDS = {
    "woocommerce": Kind(
        woocommerce, "web", "products",
        lambda n: {"id": n, "name": "Áo", "price": "1.50", "date_modified_gmt": AT.format(n)[:-1]},
        ("price", {"vnd": 5}, "TEXT", "OBJECT"), ("price", "7,25"),
        "customers", {"id": 9, "role": "customer"},
    ),
    "square": Kind(
        square, "pos", "customers",
        lambda n: {"id": f"c{n}", "given_name": "Lan", "version": 3, "updated_at": AT.format(n)},
        ("version", "v3", "NUMBER", "TEXT"), ("version", "7,0"),
        "catalog", {"id": "i1", "type": "ITEM"},
    ),
    "mailchimp": Kind(
        mailchimp, "email", "members",
        lambda n: {"list_id": "l", "id": f"m{n}", "status": "x", "last_changed": AT.format(n)},
        ("status", {"is": "x"}, "TEXT", "OBJECT"), ("last_changed", "2026-01-01T00:00:00,5Z"),
        "campaigns", {"id": "k", "emails_sent": 1},
        {"lists": [{"id": "l", "name": "everybody"}]},
    ),
}  # fmt: skip


@dataclass
class Source:
    """A vendor of one kind, and an installation that reads it."""

    env: Environment
    kind: Kind
    vendor: Vendor
    configure: Configure

    def settings(self, more: str = "") -> None:
        self.configure(
            f"sources: {{shop: {{kind: {self.vendor.kind}, area: {self.kind.area}{more}}}}}"
        )

    def offer(self, *rows: dict[str, Any], other: int = 1) -> None:
        path = "catalog" if self.kind.other == "catalog" else self.kind.other
        key = "id"
        others = [
            self.kind.other_row | {key: f"{self.kind.other_row[key]}{n}"} for n in range(other)
        ]
        self.vendor.items = {**self.kind.base, self.kind.table: list(rows), path: others}

    def changes(self) -> list[tuple[Any, ...]]:
        with open_state(self.env) as state:
            return state.execute(
                "select table_name, column_name, old_type, new_type from schema_changes "
                "order by all"
            ).fetchall()

    def rows(self, columns: str = "_row") -> list[tuple[Any, ...]]:
        return rows_of(self.env, "shop", self.kind.table, columns)


@pytest.fixture(params=KINDS)
def source(
    request: pytest.FixtureRequest,
    env: Environment,
    configure: Configure,
    monkeypatch: pytest.MonkeyPatch,
) -> Source:
    kind = KINDS[request.param]
    vendor = Vendor(request.param)
    monkeypatch.setattr(kind.module, "_connect", lambda *_: vendor)
    found = Source(env, kind, vendor, configure)
    found.settings()
    return found


def test_a_new_field_lands_and_a_flip_stops_its_table_until_it_is_accepted(source: Source) -> None:
    kind, name = source.kind, source.kind.flipped[0]
    source.offer(kind.row(1) | {"seen": 1}, kind.row(2))
    assert ingest(source.env, "shop") is not None
    assert source.changes() == []
    source.offer(kind.row(3) | NEW | {"seen": 2}, kind.row(4))
    assert ingest(source.env, "shop") is not None
    assert source.changes() == [
        (kind.table, "loyaltyTier", None, "TEXT"),
        (kind.table, "more", None, "ARRAY"),
    ]
    extra = [json.loads(text) for (text,) in source.rows("_extra") if text]
    assert sorted(extra, key=len) == [{"seen": 1}, NEW | {"seen": 2}]
    before, (_, value, old, new) = len(source.rows()), kind.flipped
    flipped = [kind.row(n) | {name: value} for n in (5, 6)]
    source.offer(*flipped, kind.row(7), other=2)
    with pytest.raises(ContractError) as caught:
        ingest(source.env, "shop")
    assert caught.value.exit_code == 3
    for part in ("source shop", kind.table, name, old, new, "(values like "):
        assert part in caught.value.message
    assert caught.value.key == f"sources.shop.accept.{kind.table}"
    assert caught.value.load is not None
    assert set(caught.value.load.tables) == {kind.other}
    assert not read_quarantine(source.env, "shop")
    with pytest.raises(ContractError) as again:
        ingest(source.env, "shop")
    assert again.value.load is None
    assert len(source.rows()) == before
    source.settings(f", accept: {{{kind.table}: {{{name}: {new}}}}}, max_quarantine_share: 1")
    load = ingest(source.env, "shop")
    assert load is not None
    counts = load.tables[kind.table]
    assert counts.rows_offered == 3
    assert (kind.table, name, old, new) in source.changes()


def test_one_bad_row_is_quarantined_and_lands_after_a_fix(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, (column, value) = source.kind, source.kind.bad
    source.offer(kind.row(1), kind.row(2) | {column: value} | NEW, kind.row(3))
    load = ingest(source.env, "shop")
    assert load is not None
    assert load.tables[kind.table].rows_quarantined == 1
    assert replay(source.env, "shop").load is None
    fix(kind.module, kind.table, column, monkeypatch)
    found = replay(source.env, "shop")
    assert [(one.tried, one.landed, one.kept) for one in found.tables] == [(1, 1, 0)]
    assert not read_quarantine(source.env, "shop")
    assert [row for (row,) in source.rows("_row")] == [1, 2, 3]
    twin = replace(source.env, home=source.env.home / "twin")
    twin.home.mkdir()
    ingest(twin, "shop")
    assert source.rows("*  exclude (_load_id)") == rows_of(
        twin, "shop", kind.table, "* exclude (_load_id)"
    )


def fix(module: ModuleType, table: str, column: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A release whose connector reads a comma as a point."""
    shapes = module.ALL_SHAPES if module is mailchimp else module.SHAPES
    sql = f"replace({shapes[table].columns[column]}, ',', '.')"
    shape = replace(shapes[table], columns=shapes[table].columns | {column: sql})
    monkeypatch.setitem(shapes, table, shape)


def test_what_a_row_takes_from_around_it_comes_back_with_it(
    env: Environment, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order of a refund stands in the path, the person of an activity in the item."""
    vendor = Vendor("woocommerce", {
        "orders": [{"id": 7, "refunds": [{"id": 1}], "date_modified_gmt": AT.format(1)[:-1]}],
        "orders/7/refunds": [{"id": 1, "amount": "1,50"}],
    })  # fmt: skip
    monkeypatch.setattr(woocommerce, "_connect", lambda *_: vendor)
    mail = Vendor("mailchimp", {
        "lists": [{"id": "l"}],
        "reports": [{"id": "k", "list_id": "l", "emails_sent": 1}],
        "email-activity": [
            {"campaign_id": "k", "email_id": "m", "activity": [
                {"action": "open", "timestamp": AT.format(1)},
                {"action": "click", "timestamp": "2026-01-01T00:00:00,5Z", "ip": "1.2.3.4"},
            ]},
        ],
    })  # fmt: skip
    monkeypatch.setattr(mailchimp, "_connect", lambda *_: mail)
    configure("sources:\n  shop: {kind: woocommerce, area: web}\n"
              "  mail: {kind: mailchimp, area: email}\n")  # fmt: skip
    for name in ("shop", "mail"):
        ingest(env, name)
    fix(woocommerce, "order_refunds", "amount", monkeypatch)
    fix(mailchimp, "email_activity", "occurred_at", monkeypatch)
    assert replay(env, "shop").load is not None
    refunds = rows_of(env, "shop", "order_refunds", "id, order_id, cast(amount as varchar), _row")
    assert refunds == [("1", "7", "1.5000", 1)]
    assert replay(env, "mail").load is not None
    activity = rows_of(env, "mail", "email_activity", "member_id, action, _extra, _row")
    assert activity == [("m", "click", '{"ip":"1.2.3.4"}', 2), ("m", "open", None, 1)]


def test_what_should_be_an_object_and_is_none_is_refused_and_not_emptied(
    env: Environment, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"id": f"p{n}", "total_money": {"amount": 5, "currency": "VND"}} for n in range(3)]
    vendor = Vendor("square", {"locations": [{"id": "a"}], "payments": rows})
    monkeypatch.setattr(square, "_connect", lambda *_: vendor)
    configure("sources:\n  shop: {kind: square, area: pos}\n")
    rows[1]["total_money"] = 5
    rows[2]["total_money"] = {"amount": 1.5}
    load = ingest(env, "shop")
    assert load is not None
    label = next(row.file for row in read_quarantine(env, "shop"))
    assert [row["reason"] for row in quarantined(env, "shop", "payments", label)] == [
        "total_money is not of type object",
        "total_amount is not of type bigint",
    ]


def test_a_stopped_table_gets_no_tombstones_and_loses_nothing(
    env: Environment, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor = Vendor(
        "woocommerce", {"customers": [{"id": n, "email": "a@b.example"} for n in (1, 2)]}
    )
    monkeypatch.setattr(woocommerce, "_connect", lambda *_: vendor)
    configure("sources:\n  shop: {kind: woocommerce, area: web}\n")
    ingest(env, "shop")
    vendor.items["customers"] = [{"id": 1, "email": {"is": "a@b.example"}}]
    with pytest.raises(ContractError):
        ingest(env, "shop")
    assert rows_of(env, "shop", "customers", "id") == [("1",), ("2",)]
    vendor.items["customers"] = [{"id": 1, "email": "a@b.example"}]
    assert ingest(env, "shop") is not None
    found = rows_of(env, "shop", "customers", "distinct id, _is_deleted")
    assert found == [("1", False), ("2", False), ("2", True)]


def test_refunds_that_were_stopped_are_asked_for_again(
    env: Environment, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offer(number: int, amount: Any) -> None:
        order = {"id": number, "status": "x", "refunds": [{"id": 10 + number}]}
        vendor.items.setdefault("orders", []).append(
            order | {"date_modified_gmt": AT.format(number)[:-1]}
        )
        vendor.items[f"orders/{number}/refunds"] = [{"id": 10 + number, "amount": amount}]

    vendor = Vendor("woocommerce")
    monkeypatch.setattr(woocommerce, "_connect", lambda *_: vendor)
    configure("sources:\n  shop: {kind: woocommerce, area: web}\n")
    offer(1, "5.00")
    ingest(env, "shop")
    offer(2, {"vnd": 5})
    for _ in range(2):
        with pytest.raises(ContractError):
            ingest(env, "shop")
    vendor.items["orders/2/refunds"][0]["amount"] = "7.00"
    ingest(env, "shop")
    assert rows_of(env, "shop", "order_refunds", "id, amount::int") == [("11", 5), ("12", 7)]
    assert ingest(env, "shop") is None


def test_accept_names_a_table_of_the_kind(env: Environment, configure: Configure) -> None:
    configure(
        "sources:\n  shop:\n    kind: square\n    area: pos\n    accept: {order: {x: TEXT}}\n"
    )
    with pytest.raises(ConfigError, match=r"has no table 'order'; there are .*orders") as caught:
        ingest(env, "shop")
    assert caught.value.key == "sources.shop.accept.order"
