"""What the brand sells and where: sneakers, socks and care products; stores in big cities."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sandbox import names
from sandbox.draw import Floats, Ints, label, take

BRANDS = ["Sải", "Ananta", "Bước", "Nhịp"]
CATEGORIES = ["chạy bộ", "lifestyle", "skate", "trẻ em", "dép", "phụ kiện"]
_PER_CATEGORY = [24, 32, 18, 16, 12, 18]
_PRICE_RANGE = [(1_290, 4_490), (890, 3_290), (990, 2_490), (490, 1_290), (290, 890), (49, 390)]
_MODELS = ["Gió", "Sông", "Mây", "Phố", "Núi", "Biển", "Sao", "Lửa", "Tre", "Sen"]
_COLOURS = ["trắng", "đen", "xám", "đỏ", "xanh", "be", "vàng"]
# Taste by generation (rows: gen Z, gen Y, gen X, boomer) over the categories.
TASTE = np.array(
    [[14, 40, 26, 1, 8, 11], [38, 24, 5, 14, 8, 11], [36, 20, 1, 18, 13, 12],
     [28, 22, 0, 16, 22, 12]], float,
)  # fmt: skip
CATEGORY_OF = np.repeat(np.arange(len(CATEGORIES)), _PER_CATEGORY)
PRODUCT_COUNT = len(CATEGORY_OF)
# How much a taste adds to a category (rows: `names.VALUES`), and how price moves it.
_VALUE_CATEGORY = np.array(
    [[0.7, 1.9, 1.9, 0.8, 0.7, 0.9], [1.2, 1.0, 0.8, 1.0, 0.8, 0.7],
     [0.8, 0.8, 0.8, 1.0, 1.8, 1.6], [2.4, 0.7, 0.8, 0.9, 0.7, 1.1]]
)  # fmt: skip
_VALUE_PRICE_POWER = np.array([0.0, 1.0, -0.9, 0.0])
# Within a category a few models sell most.
_RANK = np.concatenate([np.arange(n) for n in _PER_CATEGORY])
# New models come out on some days; whoever looks for what is new wants them first.
_LAUNCHES, _FIRST_LAUNCH, _LAUNCH_EVERY, _NEW_DAYS = 5, 36, 15, 30
_LAUNCHED = {"chạy bộ": 1, "lifestyle": 2, "skate": 1}  # models of a launch
_TREND, _TREND_WANTS_NEW = names.VALUES.index("trend"), 9.0
POPULARITY = TASTE[:, CATEGORY_OF] / (1.0 + _RANK) ** 0.8


def product_prices() -> Ints:
    """List prices in VND on the first day, whole thousands."""
    rng = np.random.default_rng(34)
    low, high = np.array(_PRICE_RANGE)[CATEGORY_OF].T
    return (low + rng.random(PRODUCT_COUNT) * (high - low)).astype(np.int64) // 10 * 10_000


def _wanted() -> Floats:
    """Weights of the products; a row for each generation and value (`wanted_row`)."""
    within = np.array(_PRICE_RANGE)[CATEGORY_OF].mean(axis=1) * 1_000
    dearness = (product_prices() / within)[None, :] ** _VALUE_PRICE_POWER[:, None]
    taste = POPULARITY[:, None, :] * (_VALUE_CATEGORY[:, CATEGORY_OF] * dearness)[None, :, :]
    return taste.reshape(-1, PRODUCT_COUNT)


def _launched_on() -> Ints:
    """The day on which each product comes out, -1 where it was there before the history."""
    day = np.full(PRODUCT_COUNT, -1)
    for category, each in _LAUNCHED.items():
        models = np.flatnonzero((CATEGORIES.index(category) == CATEGORY_OF) & (_RANK >= 3))
        models = models[: each * _LAUNCHES]
        day[models] = _FIRST_LAUNCH + np.arange(len(models)) // each * _LAUNCH_EVERY
    return day


_WANTED, LAUNCHED_ON = _wanted(), _launched_on()


def wanted(day: int) -> Floats:
    """Weights of the products on a day; a row for each generation and value (`wanted_row`)."""
    weights = np.where(day >= LAUNCHED_ON, _WANTED, 0.0)
    is_new = (LAUNCHED_ON >= 0) & (day - _NEW_DAYS < LAUNCHED_ON)
    weights[_TREND :: len(names.VALUES), is_new] *= _TREND_WANTS_NEW
    return weights


def wanted_row(generation: Ints, value: Ints) -> Ints:
    """The row of `wanted` of people of a generation who look for a value."""
    return generation.astype(np.int64) * len(names.VALUES) + value


def product_ids(products: Ints) -> pa.Array:
    """Identifiers of product indices."""
    return label("SP", products + 1, 4)


def product_names() -> pa.Array:
    """Display names, by product index."""
    index = np.arange(PRODUCT_COUNT)
    model = take(_MODELS, index * 7 % len(_MODELS))
    number = pc.cast(pa.array(index % 9 + 1), pa.string())
    colour = take(_COLOURS, index * 3 % len(_COLOURS))
    brand = take(BRANDS, index % len(BRANDS))
    return pc.binary_join_element_wise(brand, model, number, colour, " ")


def category_names(products: Ints) -> pa.Array:
    """Category of product indices."""
    return take(CATEGORIES, CATEGORY_OF[products])


def products_table(products: Ints, prices: Ints, updated_at: pa.Array) -> pa.Table:
    """Rows of `exports/web_shop/products`."""
    return pa.table({
        "product_id": product_ids(products),
        "sku": label("SKU-", 100_000 + products * 17, 6),
        "name": take(product_names(), products),
        "category": category_names(products),
        "brand": take(BRANDS, products % len(BRANDS)),
        "price": pa.array(prices[products]),
        "updated_at": updated_at,
    })  # fmt: skip


def store_provinces(stores: int) -> Ints:
    """Province index of each store: two of three in Hồ Chí Minh and Hà Nội and the next cities."""
    wanted = ["Hồ Chí Minh", "Hà Nội", "Đà Nẵng", "Hồ Chí Minh", "Hải Phòng", "Cần Thơ", "Hà Nội",
              "Đồng Nai", "Hồ Chí Minh", "Khánh Hoà", "Huế", "Nghệ An"]  # fmt: skip
    order = {place.name: i for i, place in enumerate(names.provinces())}
    first = [order[name] for name in wanted]
    more = [i % len(order) for i in range(max(0, stores - len(first)))]
    return np.array((first + more)[:stores], np.int64)


def store_ids(stores: Ints) -> pa.Array:
    """Identifiers of store indices."""
    return label("CH", stores + 1, 3)


def stores_table(stores: int, updated_at: pa.Array) -> pa.Table:
    """Rows of the tills' `stores`."""
    index = np.arange(stores)
    province = take([place.name for place in names.provinces()], store_provinces(stores))
    number = pc.cast(pa.array(index + 1), pa.string())
    return pa.table({
        "store_id": store_ids(index),
        "store_name": pc.binary_join_element_wise("Sải", province, number, " "),
        "province": province,
        "updated_at": updated_at,
    })  # fmt: skip
