"""Who goes out and the one reason of everybody else, over marts in memory."""

import functools
from collections.abc import Iterable, Mapping
from dataclasses import replace

import duckdb
import pyarrow as pa
import pytest
import yaml
from activation_shop import AS_OF, AUDIENCE, CUSTOMERS, Person, people, write_marts
from hypothesis import given
from hypothesis import strategies as st

from activation.audience_file import Audience
from activation.audiences import Book
from activation.desired import build_desired
from activation.ledger import Inputs, read_inputs
from activation.payloads import Payload
from activation.policy import Policy, PolicyFile
from activation.rules import compile_rule
from khach.state import migrate

NO_SUPPRESSIONS = pa.table(
    {"channel": pa.array([], "string"), "identifier_hash": pa.array([], "string")}
)


def a_book(*changes: Mapping[str, object]) -> Book:
    audiences = [Audience(**(yaml.safe_load(AUDIENCE) | change)) for change in changes or ({},)]
    rules = {a.name: compile_rule(str(a.where), CUSTOMERS) for a in audiences}
    return Book({a.name: a for a in audiences}, rules)


@functools.cache
def no_inputs() -> Inputs:
    """What an empty state knows."""
    with duckdb.connect() as state:
        migrate(state)
        return read_inputs(state, "none", "none")


def reasons(
    persons: Iterable[Person],
    book: Book | None = None,
    *,
    recorded: Mapping[str, str] | None = None,
    carried_by: Iterable[str] = (),
    merged: Mapping[str, str] | None = None,
    suppressions: pa.Table = NO_SUPPRESSIONS,
) -> dict[str, str | None]:
    """Customer to reason; None: goes out."""
    book = book or a_book()
    audience = book["cart_abandoners"]
    recorded = recorded or {}
    with duckdb.connect() as connection:
        write_marts(connection, persons)
        for old, today in (merged or {}).items():
            connection.execute("insert into customer_survivors values (?, ?)", [old, today])
        build_desired(
            connection,
            book,
            audience,
            audience.syncs[0],
            policy=Policy(16, PolicyFile(), suppressions),
            as_of=AS_OF,
            time_zone="Asia/Ho_Chi_Minh",
            inputs=replace(
                no_inputs(),
                holdouts=pa.table(
                    {
                        "customer_id": pa.array(list(recorded), "string"),
                        "group": pa.array(list(recorded.values()), "string"),
                    }
                ),
                acknowledged=pa.table({"customer_id": pa.array(list(carried_by), "string")}),
            ),
            payload=Payload({}, {"tag": "t"}),
        )
        return dict(connection.execute("select customer_id, reason_code from desired").fetchall())


ANY_PERSON = st.builds(
    Person,
    customer_id=st.sampled_from([f"c{i}" for i in range(8)]),
    email=st.sampled_from([None, "no address", *[f"p{i}@example.vn" for i in range(5)]]),
    consent=st.sampled_from([True, True, False, None]),
    carts=st.sampled_from([1, 1, 0]),
    birth_date=st.sampled_from([None, "1999-01-31", "2015-06-01"]),
)
ANY_CROWD = st.lists(ANY_PERSON, max_size=8, unique_by=lambda person: person.customer_id)


@given(ANY_CROWD, st.permutations(range(8)))
def test_the_order_of_rows_does_not_matter(persons: list[Person], order: list[int]) -> None:
    shuffled = [persons[i] for i in order if i < len(persons)]
    book = a_book({"holdout": 0.3})
    assert reasons(persons, book) == reasons(shuffled, book)


@given(ANY_CROWD, st.integers(0, 7))
def test_one_flipped_consent_takes_out_exactly_who_shares_the_address(
    persons: list[Person], chosen: int
) -> None:
    before = reasons(persons)
    out = sorted(customer for customer, reason in before.items() if reason is None)
    if not out:
        return
    who = out[chosen % len(out)]
    flipped = [replace(p, consent=False) if p.customer_id == who else p for p in persons]
    after = reasons(flipped)
    address = next(p.email for p in persons if p.customer_id == who)
    touched = {p.customer_id for p in persons if p.email == address}
    assert after[who] == "consent_withdrawn"
    assert {c: r for c, r in after.items() if c not in touched} == {
        c: r for c, r in before.items() if c not in touched
    }
    assert all(after.get(customer) is not None for customer in touched if customer in before)


@given(ANY_CROWD)
def test_nobody_goes_out_without_consent_of_age_and_one_address_each(
    persons: list[Person],
) -> None:
    by_id = {p.customer_id: p for p in persons}
    out = [by_id[c] for c, reason in reasons(persons).items() if reason is None]
    assert all(p.consent is True and p.birth_date != "2015-06-01" and p.carts for p in out)
    assert len({p.email for p in out}) == len(out)
    for person in out:
        assert all(p.consent for p in persons if p.email == person.email)


def test_a_test_customer_is_no_candidate() -> None:
    assert reasons([Person("a", "a@example.vn", is_test=True)]) == {}


def test_the_first_reason_that_applies_is_the_one_given() -> None:
    child = Person("child", "child@example.vn", consent=False, birth_date="2014-01-01")
    cases = [
        child,
        Person("withdrew", "w@example.vn", consent=False),
        Person("silent", "s@example.vn", consent=None),
        Person("silent_without", None, consent=None),
        Person("without", None),
        Person("broken", "not an address"),
        Person("fine", "fine@example.vn"),
    ]
    assert reasons(cases) == {
        "child": "under_age",
        "withdrew": "consent_withdrawn",
        "silent": "no_consent",
        "silent_without": "no_consent",
        "without": "no_identifier",
        "broken": "invalid_identifier",
        "fine": None,
    }


@pytest.mark.parametrize(
    ("birth_date", "birth_year", "reason"),
    [
        ("2010-06-28", None, None),
        ("2010-06-29", None, "under_age"),  # sixteen in Viet Nam already, not yet everywhere
        (None, 2010, "under_age"),  # perhaps still fifteen
        (None, 2009, None),
        (None, None, None),
    ],
)
def test_age_is_counted_on_the_earlier_of_the_utc_and_the_business_day(
    birth_date: str | None, birth_year: int | None, reason: str | None
) -> None:
    person = Person("c", "c@example.vn", birth_date=birth_date, birth_year=birth_year)
    assert reasons([person]) == {"c": reason}


def test_a_shared_address_leaves_only_if_all_its_holders_permit_it() -> None:
    sharer = Person("b", "b@example.vn", other_emails=("a@example.vn",), carts=0)
    assert reasons([Person("a", "a@example.vn"), sharer]) == {"a": None}
    unlinked = replace(sharer, other_emails=(), unlinked_emails=("A@example.vn",), consent=None)
    assert reasons([Person("a", "a@example.vn"), unlinked]) == {"a": "no_consent"}
    assert reasons([Person("a", "a@example.vn"), replace(sharer, consent=None)]) == {
        "a": "no_consent"
    }
    assert reasons([Person("a", "a@example.vn"), replace(sharer, consent=False)]) == {
        "a": "consent_withdrawn"
    }


def test_one_of_several_holders_carries_the_address_and_keeps_it() -> None:
    both = [Person("a", "x@example.vn"), Person("b", "X@example.vn ")]
    assert reasons(both) == {"a": None, "b": "duplicate_identifier"}
    assert reasons(both, carried_by=["b"]) == {"a": "duplicate_identifier", "b": None}


def test_a_holdout_is_drawn_once_and_stays_whatever_else_changes() -> None:
    crowd = people(400)
    drawn = reasons(crowd, a_book({"holdout": 0.25}))
    out = {customer for customer, reason in drawn.items() if reason == "holdout"}
    assert 70 <= len(out) <= 130
    groups = {c: "holdout" if c in out else "treated" for c in drawn}
    grown = [*people(430)]
    later = reasons(grown, a_book({"holdout": 0.9}), recorded=groups)
    assert {c for c in drawn if later[c] == "holdout"} == out
    assert sum(later[p.customer_id] == "holdout" for p in grown[400:]) > 15


def test_an_address_is_held_out_when_one_of_its_holders_is() -> None:
    both = [Person("a", "x@example.vn"), Person("b", "x@example.vn", carts=0)]
    assert reasons(both, a_book({"holdout": 0.5}), recorded={"b": "holdout"}) == {"a": "holdout"}


def test_who_was_held_out_before_a_merge_is_held_out_after_it() -> None:
    told = {"old": "holdout", "c0000": "treated"}
    for survivor, expected in (("c0000", "holdout"), ("c0001", None)):
        found = reasons(
            people(1), a_book({"holdout": 0.1}), recorded=told, merged={"old": survivor}
        )
        assert found == {"c0000": expected}


def test_the_audience_with_the_lower_priority_number_wins_on_the_same_channel() -> None:
    first = {"name": "vip", "priority": 10, "where": "in_segment('vip')"}
    book = a_book({}, first)
    assert reasons(people(2), book) == {"c0000": "lower_priority_audience", "c0001": None}


def test_members_of_an_excluded_audience_are_no_candidates() -> None:
    book = a_book({"exclude": ["vip"]}, {"name": "vip", "where": "in_segment('vip')"})
    assert reasons(people(2), book) == {"c0001": None}


def test_a_suppressed_identifier_goes_nowhere() -> None:
    from hashlib import sha256

    digest = sha256(b"person0000@example.vn").hexdigest()
    listed = pa.table({"channel": ["all"], "identifier_hash": [digest]})
    assert reasons(people(2), suppressions=listed) == {"c0000": "suppressed", "c0001": None}
    known_by_both = Person("c", "new@example.vn", other_emails=("person0000@example.vn",))
    assert reasons([known_by_both], suppressions=listed) == {"c": "suppressed"}
