"""WooCommerce, 100,000 orders: the whole ingest against a bare loop over the same pages.

The shop is served from memory on loopback by a process of its own. The bare loop fetches each page
and parses it with `json.loads`, and keeps nothing. Both are whole processes, run in turn; the
medians are compared. KHACH_BENCH_ORDERS makes it smaller.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from khach.environment import PROJECT

ORDERS = int(os.environ.get("KHACH_BENCH_ORDERS", "100000"))
RUNS = int(os.environ.get("KHACH_BENCH_RUNS", "3"))
BAR = 2.0
PER_PAGE = 100


def run() -> bool:
    """Alternate the two, compare the medians."""
    with _served() as url, tempfile.TemporaryDirectory(prefix="khach-bench-") as folder:
        config = Path(folder) / "config"
        config.mkdir()
        (config / "sources.yml").write_text("sources:\n  shop: {kind: woocommerce, area: web}\n")
        ours, bare = [], []
        for number in range(RUNS):
            bare.append(_timed(url, "bare", Path(folder)))
            ours.append(_timed(url, "ingest", Path(folder) / f"run{number}", config))
        ratio = statistics.median(ours) / statistics.median(bare)
    print(
        f"WooCommerce, {ORDERS:,} orders: bare {[round(t, 1) for t in bare]} s, "
        f"ingest {[round(t, 1) for t in ours]} s"
    )
    print(f"ingest_woocommerce: {ratio:.2f} times a bare loop (bar: at most {BAR:.2f})")
    return ratio <= BAR


def _timed(url: str, what: str, home: Path, config: Path | None = None) -> float:
    variables = {
        "KHACH_ENV": "dev", "KHACH_HOME": str(home), "KHACH_CONFIG": str(config or home),
        "WOOCOMMERCE_URL": url, "WOOCOMMERCE_KEY": "ck", "WOOCOMMERCE_SECRET": "cs",
    }  # fmt: skip
    started = time.perf_counter()
    command = [sys.executable, "-m", "benchmarks.ingest_woocommerce", what]
    subprocess.run(command, cwd=PROJECT, env=os.environ | variables, check=True)
    return time.perf_counter() - started


def _bare() -> None:
    import requests

    session = requests.Session()
    session.auth = ("ck", "cs")
    url = os.environ["WOOCOMMERCE_URL"] + "/wp-json/wc/v3/orders"
    page, pages, rows = 1, 1, 0
    while page <= pages:
        answer = session.get(url, params={"page": page, "per_page": PER_PAGE}, timeout=60)
        rows += len(json.loads(answer.content))
        pages, page = int(answer.headers["X-WP-TotalPages"]), page + 1
    assert rows == ORDERS, rows


def _ingest() -> None:
    from ingestion.run import ingest
    from khach.environment import load_environment

    load = ingest(load_environment(), "shop")
    assert load is not None and load.tables["orders"].rows_landed == ORDERS


@contextmanager
def _served() -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.ingest_woocommerce", "serve"],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()


def _order(number: int) -> dict:
    """An order as a shop with two lines, a coupon and a plugin's notes gives it."""
    day = f"2026-{number % 6 + 1:02d}-{number % 28 + 1:02d}"
    at = f"{day}T{number % 24:02d}:16:02"
    address = {"first_name": "Minh", "last_name": f"Nguyễn {number % 977}", "company": "",
               "address_1": f"{number % 300} Lê Lợi", "address_2": "", "city": "Huế", "state": "",
               "postcode": "530000", "country": "VN"}  # fmt: skip
    lines = [
        {"id": 2 * number + n, "name": f"Giày chạy bộ {number % 90 + n} - đen, 41",
         "product_id": number % 90 + n, "variation_id": 0, "quantity": 1 + n, "tax_class": "",
         "subtotal": "1290000", "subtotal_tax": "0", "total": "1161000", "total_tax": "0",
         "taxes": [], "meta_data": [{"id": n, "key": "size", "value": "41",
                                     "display_key": "Size", "display_value": "41"}],
         "sku": f"SKU-{number % 90:06d}", "price": 1161000, "image": {"id": "", "src": ""},
         "parent_name": None}
        for n in range(2)
    ]  # fmt: skip
    times = {f"date_{name}{zone}": at for name in ("created", "modified", "paid", "completed")
             for zone in ("", "_gmt")}  # fmt: skip
    return {
        "id": number, "parent_id": 0, "status": "completed", "currency": "VND",
        "version": "9.4.2", "prices_include_tax": True, "discount_total": "258000",
        "discount_tax": "0", "shipping_total": "30000", "shipping_tax": "0", "cart_tax": "0",
        "total": "2352000", "total_tax": "0", "customer_id": number % 20_000,
        "order_key": f"wc_order_{number}", **times,
        "billing": address | {"email": f"minh{number % 20_000}@thu.example",
                              "phone": "0912000123"},
        "shipping": address, "payment_method": "momo", "payment_method_title": "MoMo",
        "transaction_id": str(number), "customer_ip_address": "203.0.113.7",
        "customer_user_agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36", "cart_hash":
        "6ae2a1c9a4b95c0f12ac2f7aa9ea7a41", "created_via": "checkout", "customer_note": "",
        "number": str(number), "line_items": lines, "tax_lines": [],
        "shipping_lines": [{"id": number, "method_title": "Giao hàng", "method_id": "flat_rate",
                            "total": "30000", "total_tax": "0", "taxes": [], "meta_data": []}],
        "fee_lines": [], "coupon_lines": [{"id": number, "code": "he2026", "discount": "258000",
                                           "discount_tax": "0", "meta_data": []}],
        "refunds": [], "meta_data": [{"id": n, "key": f"_wc_order_attribution_{n}",
                                      "value": "typein"} for n in range(6)],
        "payment_url": "", "is_editable": False, "needs_payment": False,
        "_links": {"self": [{"href": f"https://shop.example/wp-json/wc/v3/orders/{number}"}]},
    }  # fmt: skip


def _serve() -> None:
    pages = {
        page: json.dumps(
            [_order(n) for n in range((page - 1) * PER_PAGE + 1, page * PER_PAGE + 1)],
            separators=(",", ":"),
        ).encode()
        for page in range(1, ORDERS // PER_PAGE + 1)
    }

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            body, total = b"[]", 0
            if path.endswith("/orders"):
                page = dict(part.split("=") for part in query.split("&")).get("page", "1")
                body, total = pages.get(int(page), b"[]"), ORDERS
            head = (
                f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-WP-Total: {total}\r\n"
                f"X-WP-TotalPages: {total // PER_PAGE}\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            self.wfile.write(head.encode() + body)

        def log_message(self, *_args: object) -> None:
            """Nothing: standard error is the benchmark's."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    {"serve": _serve, "bare": _bare, "ingest": _ingest}[sys.argv[1]]()
