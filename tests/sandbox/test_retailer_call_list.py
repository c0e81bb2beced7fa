"""The call centre works through the list that the business keeps in its CRM; the exports tell."""

import shutil
from contextlib import closing
from pathlib import Path

import pytest
from retailer import fingerprint, query

from sandbox import control
from sandbox.channels import lists, store

_DAYS = 4
_LISTED = "select * from '{crm}/calls-*.csv' where call_id like 'GL%'"


def _list(root: Path, numbers: list[str]) -> None:
    """Have the portal hold a contact of each number, all but the last two in its list; the last
    but one has left it, the last has no number on the agents' screen.
    """
    store.prepare(root)
    with closing(store.connect(root)) as connection:
        lists.prepare(connection)
        for key, number in enumerate([*numbers[:-1], ""]):
            contact = {"email": f"{key}@example.vn", "phone": number}
            lists.put(connection, "hubspot", "contact", str(key), contact)
            if number != numbers[-2]:
                connection.execute(
                    "insert into list_members values ('hubspot', '17', ?, ?)", (str(key), str(key))
                )


@pytest.fixture(scope="module")
def numbers(history: Path) -> list[str]:
    return [
        phone for (phone,) in query(
            history,
            "select phone from (select person_id, unnest(list_distinct([phone, second_phone])) as "
            "phone from '{truth}/people.parquet') group by 1 having count(*) = 1 order by 1 "
            "limit 202",
        )
    ]  # fmt: skip


@pytest.fixture(scope="module")
def called(history: Path, numbers: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("called")
    shutil.copytree(history, root, dirs_exist_ok=True)
    _list(root, numbers)
    for _ in range(_DAYS):
        control.advance(root)
    return root


def test_a_quarter_of_the_list_is_called_in_a_day_at_permitted_hours(
    called: Path, numbers: list[str]
) -> None:
    listed = {number[-9:] for number in numbers[:-2]}
    rows = query(
        called,
        "select regexp_replace(phone, '[^0-9]', '', 'g'), started_at::timestamp::date::text, "
        f"hour(started_at::timestamp) from ({_LISTED})",
    )
    days = {day for _, day, _ in rows}
    assert len(days) == _DAYS
    for day in days:
        of_day = [phone[-9:] for phone, when, _ in rows if when == day]
        assert len(of_day) == len(set(of_day))
        assert 0.1 * len(listed) < len(of_day) < 0.4 * len(listed)
    # Some are logged with an old prefix or a slip of the pen; most as the list has them.
    assert sum(phone[-9:] in listed for phone, _, _ in rows) > 0.7 * len(rows)
    assert {hour for _, _, hour in rows} <= set(range(8, 17))


def test_each_call_is_of_somebody_whose_number_is_on_the_list(
    called: Path, numbers: list[str]
) -> None:
    listed = ", ".join(f"'{number}'" for number in numbers[:-2])
    [(calls, strangers)] = query(
        called,
        f"select count(*), count(*) filter (people.phone not in ({listed}) and second_phone not in "
        f"({listed})) from ({_LISTED}) join '{{truth}}/records.parquet' as who on "
        "record_kind = 'calls' and record_id = call_id "
        "join '{truth}/people.parquet' as people using (person_id)",
    )
    assert (calls > 100, strangers) == (True, 0)


def test_calls_sell_and_are_refused(called: Path) -> None:
    [(answered, interested, refused)] = query(
        called,
        "select avg(answered::boolean::int), count(*) filter (outcome = 'interested'), "
        f"count(*) filter (outcome = 'do_not_call') from ({_LISTED})",
    )
    assert 0.4 < answered < 0.7
    assert interested > 10
    assert refused > 0


def test_the_same_list_leads_to_the_same_days(
    history: Path, numbers: list[str], tmp_path: Path
) -> None:
    roots = [tmp_path / name for name in ("once", "again", "without")]
    for root in roots:
        shutil.copytree(history, root)
    for root in roots[:2]:
        _list(root, numbers)
    for root in roots:
        control.advance(root)
    once, again, without = map(fingerprint, roots)
    assert once == again
    assert once != without
