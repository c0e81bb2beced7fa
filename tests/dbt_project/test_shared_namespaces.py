"""Sources of one namespace speak of the same accounts, carts, orders and lines.

One visit is told by Snowplow and by Google Analytics 4, some receipts by the tills' database and by
the export of its older years.
"""

import gzip
import json
from pathlib import Path

import pytest
from tiny_lake import TinyLake
from vendor_events import GA4, SNOWPLOW, tsv

from ingestion import verdicts
from ingestion.run import ingest
from ingestion.vars import dbt_sources
from khach.environment import PROJECT, Environment

SOURCES = """sources:
  shop:
    kind: files
    area: web
    folder: FOLDER
    tables:
      orders:
        from: orders.csv
        columns: {order_id: id, user_id: user, email: email, ordered_at: at, status: status}
        constants: {channel: web}
  tills:
    kind: files
    area: pos
    folder: FOLDER
    tables:
      orders:
        from: receipts.csv
        columns: {order_id: id, phone: phone, ordered_at: at}
        constants: {channel: store, status: completed}
      order_lines:
        from: lines.csv
        columns: {order_line_id: id, order_id: receipt, line_amount: amount}
  old_tills:
    kind: files
    area: pos
    namespace: tills
    folder: FOLDER
    tables:
      order_lines:
        from: old_lines.csv
        columns: {order_line_id: id, order_id: receipt, line_amount: amount}
  sp: {kind: snowplow, area: web, namespace: shop, folder: FOLDER, from: "*.tsv"}
  ga: {kind: ga4, area: web, namespace: shop, folder: FOLDER, from: "*.ndjson"}
  app: {kind: segment, area: web, namespaces: {user_id: shop}, folder: FOLDER, from: "*.json.gz"}
"""
# An app with ids of its own for devices and carts, and the shop's accounts; its visitors are Lan, a
# guest who ordered at the shop and whose cart has the number of Lan's there, and one whose order
# has the number of a receipt of somebody else.
APP = [
    {"messageId": "a1", "type": "track", "event": "Product Viewed", "userId": "U1",
     "timestamp": "2026-03-01T08:00:00Z"},
    {"messageId": "a2", "type": "track", "event": "Order Completed", "anonymousId": "app-nam",
     "timestamp": "2026-03-01T09:00:00Z", "properties": {"order_id": "W2"}},
    {"messageId": "a3", "type": "track", "event": "Order Completed", "anonymousId": "app-guest",
     "timestamp": "2026-03-01T10:00:00Z", "properties": {"order_id": "1001"}},
    {"messageId": "a4", "type": "track", "event": "Product Added", "anonymousId": "app-nam",
     "timestamp": "2026-03-01T08:50:00Z", "properties": {"cart_id": "S1", "product_id": "AO"}},
]  # fmt: skip


@pytest.fixture(scope="module")
def visit(tmp_path_factory: pytest.TempPathFactory) -> TinyLake:
    home = tmp_path_factory.mktemp("vendors")
    folder = home / "delivered"
    for path in (folder, home / "config"):
        path.mkdir()
    (home / "config" / "sources.yml").write_text(SOURCES.replace("FOLDER", str(folder)))
    (folder / "orders.csv").write_text(
        "id,user,email,at,status\nW1,U1,,2026-03-01 03:05:00,completed\n"
        "W2,,nam@hoa.example,2026-03-01 09:00:00,completed\n"
    )
    (folder / "receipts.csv").write_text("id,phone,at\n1001,0912345678,2026-03-01 09:30:00\n")
    (folder / "lines.csv").write_text("id,receipt,amount\nL2,1001,20\nL3,1001,30\n")
    (folder / "old_lines.csv").write_text("id,receipt,amount\nL1,1001,10\nL2,1001,20\n")
    (folder / "app.json.gz").write_bytes(gzip.compress("\n".join(map(json.dumps, APP)).encode()))
    (folder / "events.tsv").write_text("\n".join(tsv(event) for event in [*SNOWPLOW, SNOWPLOW[0]]))
    (folder / "events.ndjson").write_text("\n".join(json.dumps(event) for event in GA4))
    patch = pytest.MonkeyPatch()
    patch.setenv("KHACH_HOME", str(home))
    env = Environment("dev", home, home / "config", home)
    for source in ("shop", "tills", "old_tills", "sp", "ga", "app"):
        load = ingest(env, source)
        assert load is not None
        verdicts.accept(env, source, load.load_id, "test", "")
    lake = TinyLake(env, PROJECT / "dbt_project", dbt_sources(env))
    chosen = ("path:seeds", "+row_accounting", "+int_carts")
    lake.build("--indirect-selection", "cautious", "-s", *chosen)
    yield lake
    patch.undo()


def test_a_visit_is_one_session_whatever_collected_it(visit: TinyLake) -> None:
    counts = (
        "page_view_count, product_view_count, search_count, cart_add_count, has_order, "
        "traffic_source, medium, campaign, landing_path, device_type, started_at::varchar"
    )
    lan = (1, 1, 1, 1, True, "zalo", "social", "tet", "/ao", "mobile", "2026-03-01 03:00:00")
    assert visit.rows(
        f"select source, {counts} from intermediate.int_sessions "
        "where has_order and source <> 'app' order by source"
    ) == [("ga", *lan), ("sp", *lan)]
    assert visit.rows(
        "select source, count(*) from intermediate.int_sessions where has_sign_up group by source "
        "order by source"
    ) == [("ga", 1), ("sp", 1)]


def test_a_cart_of_two_products_holds_their_units_and_its_order(visit: TinyLake) -> None:
    assert visit.rows(
        "select cart_id, item_count, cast(cart_amount as integer), last_product_name, "
        "is_abandoned, order_id from intermediate.int_carts order by cart_id"
    ) == [
        ("app:S1", 1, 0, None, False, "shop:W2"),
        ("shop:S1", 3, 450000, "Áo thun", False, "shop:W1"),
        ("shop:ga-lan.77", 3, 450000, "Áo thun", False, "shop:W1"),
    ]


def test_one_person_stands_behind_both_devices_and_the_order(visit: TinyLake) -> None:
    assert visit.rows(
        "select count(distinct customer_id), count(customer_id) from intermediate.int_web_events "
        "where source in ('sp', 'ga')"
    ) == [(1, 15)]
    assert visit.rows(
        "select identifier_value from identity.identity_map where identifier_type = 'email' "
        "order by identifier_value"
    ) == [("lan@hoa.example",), ("nam@hoa.example",)]


def test_a_line_that_two_sources_tell_is_sold_once(visit: TinyLake) -> None:
    assert visit.rows(
        "select order_id, cast(sum(line_amount) as integer), count(*) from order_lines group by all"
    ) == [("tills:1001", 60, 3)]
    assert visit.rows(
        "select source, rows_in_marts, rows_duplicate from intermediate.row_accounting "
        "where table_name = 'order_lines' order by source"
    ) == [("old_tills", 2, 0), ("tills", 2, 0)]


def test_every_event_is_accounted_for(visit: TinyLake) -> None:
    assert visit.rows(
        "select source, rows_in_marts, rows_duplicate from intermediate.row_accounting "
        "where table_name = 'events' order by source"
    ) == [("app", 4, 0), ("ga", 7, 0), ("sp", 8, 1)]


def test_a_visitor_is_who_the_issuer_of_the_account_or_the_shop_of_the_order_says(
    visit: TinyLake,
) -> None:
    owner = "select identifier_value, customer_id from identity.identity_map"
    whose = dict(visit.rows(owner))
    assert visit.rows(
        "select message_id, customer_id from intermediate.int_web_events where source = 'app' "
        "and message_id < 'a4' order by message_id"
    ) == [("a1", whose["U1"]), ("a2", whose["nam@hoa.example"]), ("a3", None)]


def test_a_vendor_without_a_source_costs_no_model(
    env: Environment, tmp_path: Path, staging_project: Path
) -> None:
    lake = TinyLake(env, staging_project, [{"name": "web", "kind": "segment", "area": "web"}])
    lake.build("-s", "path:models/staging/segment", "path:models/staging/ga4")
    assert lake.rows(
        "select table_name from information_schema.tables where table_name ~ '.*events'"
    ) == [("stg_segment__events",)]
