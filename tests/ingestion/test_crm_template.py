"""The CRM template reads the exports that its comments describe; parts of an entity are named."""

from pathlib import Path

import duckdb
import pytest
from landed_data import Configure, rows_of

from ingestion.config import load_sources
from ingestion.readers import load_excel
from ingestion.run import ingest
from khach.environment import PROJECT, Environment
from khach.errors import ConfigError

EXPORTS = {
    "livechat/chats-1.csv": "chat_id,visitor_id,visitor_name,visitor_email,visitor_phone,"
    "department,tags,rating,started,first_reply,ended,agent\n"
    'c1,v1,Lan,lan@hoa.example,,shoes,"refund, complaint",bad,2026-03-01 10:00,2026-03-01 10:02,'
    ",a7\n",
    "zalo/threads-1.csv": "thread_id,user_id,display_name,phone,status,label,created_time,"
    "first_response_time,closed_time\nt1,z1,Minh,0912000111,done,size,2026-03-01 10:00,,\n",
    "zalo/messages-1.csv": "msg_id,thread_id,src,time\nm1,t1,1,1772334000000\n",
    "social/inbox-1.ndjson": '{"page": "p", "sender": "s", "sender_name": "Hoa", "is_from_page": '
    'false, "text": "Còn hàng?", "timestamp": "2026-03-01T03:00:00Z"}\n',
    "calls/log-1.csv": "call_id,caller,callee,direction,campaign,answered,seconds,result,extension,"
    "start\nk1,100,0912000111,out,spring,NO ANSWER,0,,100,2026-03-01 10:00\n",
    "appointments/1.csv": "booking_id,customer_phone,customer_name,shop,service,state,booked,"
    "starts\nb1,0912000111,Minh,S1,fitting,done,2026-03-01 10:00,2026-03-02 10:00\n",
    "coupons/list-1.csv": "code,campaign,title,from,to\nTET,spring,Tết,2026-01-01,2026-03-01\n",
    "coupons/used-1.csv": "code,member,receipt,discount,used\nTET,M1,R1,50000,2026-02-01 10:00\n",
    "loyalty/members-1.csv": "card,phone,name,tier,joined,left,changed\n"
    "M1,0912000111,Minh,gold,2026-01-01,,2026-01-01\n",
    "loyalty/referrals-1.csv": "id,friend_phone,friend_name,member,code,joined\n"
    "f1,0912000222,Hoa,M1,MINH,2026-02-01\n",
    "surveys/answers-1.csv": "id,phone,type,question,score,comment,receipt,answered\n"
    "s1,0912000111,csat,q,4,ok,R1,2026-02-01 10:00\n",
    "email/events-1.csv": "campaign,recipient,event,link,at\n"
    "spring,lan@hoa.example,opened,,2026-02-01 10:00\n",
    "web/sessions-1.csv": "session,visitor,user,start,end,pages,source,medium,campaign,bought\n"
    "w1,v1,U1,2026-02-01 10:00,2026-02-01 10:09,4,google,cpc,spring,true\n",
}  # fmt: skip
LEAD = "'l1' as id, 'Lan' as name, '0912000333' as phone, null as email, 'fair' as source, "
LEAD += "'new' as stage, 70 as score, 'Thành công' as result, 5000000 as value, "
LEAD += "date '2026-04-01' as expected, timestamp '2026-02-01 10:00:00' as created, "
LEAD += "null as first_call, 'a7' as owner, null as changed"


def test_a_row_of_each_described_export_lands(
    env: Environment, configure: Configure, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRM_EXPORTS", str(folder))
    for name, text in EXPORTS.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "leads").mkdir()
    with duckdb.connect() as connection:
        load_excel(connection)
        path = folder / "leads" / "leads-1.xlsx"
        connection.execute(f"copy (select {LEAD}) to '{path}' (format xlsx, header true)")
    configure((PROJECT / "khach" / "templates" / "crm" / "sources.yml").read_text("utf-8"))
    load = ingest(env, "crm")
    assert load is not None
    assert len(load.tables) == len(EXPORTS) + 1
    assert {counts.rows_landed for counts in load.tables.values()} == {1}
    assert {counts.rows_quarantined for counts in load.tables.values()} == {0}

    def row(table: str, columns: str) -> tuple:
        (only,) = rows_of(env, "crm", table, columns)
        return only

    assert row("conversations__chat", "content_class, sentiment, opened_at::varchar") == (
        "complaint", "negative", "2026-03-01 03:00:00"
    )  # fmt: skip
    assert row("messages__zalo", "direction, sent_at::varchar") == (
        "outbound", "2026-03-01 03:00:00"
    )  # fmt: skip
    assert row("messages__social", "conversation_id, direction") == ("p-s", "inbound")
    assert row("calls", "phone, direction, is_answered") == ("0912000111", "outbound", False)
    assert row("leads", "outcome, lead_score, expected_close_on::varchar") == (
        "won", 70, "2026-04-01"
    )  # fmt: skip
    assert row("offers", "valid_to::varchar") == ("2026-02-28 17:00:00",)
    assert row("survey_responses", "scale_min, scale_max, satisfied_score") == (1, 5, 4)
    assert row("email_events", "kind") == ("open",)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("messages__", "no name for a table of messages"),
        ("messages__Zalo", "no name for a table of messages"),
        ("mesages__zalo", "there is no entity 'mesages'; did you mean messages?"),
    ],
)
def test_a_part_of_an_entity_has_a_name(
    env: Environment, configure: Configure, table: str, message: str
) -> None:
    configure(
        "sources:\n  crm:\n    kind: files\n    area: crm\n    folder: FOLDER\n    tables:\n"
        f"      {table}: {{from: a.csv, columns: {{message_id: id}}}}\n"
    )
    with pytest.raises(ConfigError, match=message) as refused:
        load_sources(env)
    assert refused.value.line == 7


def test_columns_of_a_tool_that_begin_with_an_underscore_are_read_in_every_format(
    env: Environment, configure: Configure, folder: Path
) -> None:
    row = "select 'a' as id, false as _fivetran_deleted"
    for ending, options in (
        ("csv", "header"),
        ("parquet", "format parquet"),
        ("ndjson", "format json"),
    ):
        duckdb.sql(f"copy ({row}) to '{folder}/stores.{ending}' ({options})")
        configure(
            f"sources:\n  s_{ending}:\n    kind: files\n    area: pos\n    folder: FOLDER\n"
            f"    tables:\n      stores: {{from: stores.{ending}, columns: {{store_id: id}}, "
            "filter: _fivetran_deleted = 'false'}\n"
        )
        assert ingest(env, f"s_{ending}") is not None
        assert rows_of(env, f"s_{ending}", "stores", "store_id, _is_kept") == [("a", True)]
