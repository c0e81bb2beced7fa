"""What the platform answers: the contract's documents, put together inside SQLite.

A page of 1,000 members is one query whose rows are finished JSON texts, so the server is never
what a reader waits for. Optional keys without a value are left out (the contract has no nulls).
"""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.mailchimp.problems import not_found

_TAGS = """(select json_group_array(json_object('id', t.tag_id, 'name', t.name))
    from member_tags x join tags t using (tag_id)
    where x.list_id = m.list_id and x.member_id = m.member_id)"""

MEMBER = f"""json_patch('{{}}', json_object(
    'id', m.member_id, 'email_address', m.email_address,
    'unique_email_id', substr(m.member_id, 1, 10), 'contact_id', m.member_id,
    'full_name', m.full_name, 'web_id', m.seq,
    'email_type', m.email_type, 'status', m.status, 'unsubscribe_reason', m.unsubscribe_reason,
    'merge_fields', (select json_group_object(f.tag, coalesce(m.merge_fields ->> f.tag, ''))
        from merge_fields f where f.list_id = m.list_id),
    'interests', json_object(), 'timestamp_signup', m.timestamp_signup,
    'timestamp_opt', m.timestamp_opt, 'member_rating', 2, 'last_changed', m.last_changed,
    'language', m.language, 'vip', json(iif(m.vip, 'true', 'false')), 'source', m.source,
    'tags_count', (select count(*) from member_tags x
        where x.list_id = m.list_id and x.member_id = m.member_id),
    'tags', json({_TAGS}), 'list_id', m.list_id))"""

LIST = """json_patch('{}', json_object('id', l.list_id, 'web_id', l.rowid, 'name', l.name,
    'date_created', l.created_at, 'visibility', 'prv', 'stats', json_object(
    'member_count', (select count(*) from members m
        where m.list_id = l.list_id and m.status = 'subscribed'),
    'unsubscribe_count', (select count(*) from members m
        where m.list_id = l.list_id and m.status = 'unsubscribed'),
    'cleaned_count', (select count(*) from members m
        where m.list_id = l.list_id and m.status = 'cleaned'),
    'campaign_count', (select count(*) from campaigns c where c.list_id = l.list_id),
    'merge_field_count', (select count(*) from merge_fields f where f.list_id = l.list_id))))"""

CAMPAIGN = """json_patch('{}', json_object('id', c.campaign_id, 'web_id', c.rowid,
    'type', 'regular', 'status', c.status, 'emails_sent', c.emails_sent,
    'send_time', c.send_time, 'create_time', c.send_time, 'content_type', 'html',
    'recipients', json_object('list_id', c.list_id, 'list_is_active', json('true'),
        'recipient_count', c.emails_sent),
    'settings', json_object('subject_line', c.subject_line, 'title', c.title)))"""

REPORT = """json_patch('{}', json_object('id', c.campaign_id, 'campaign_title', c.title,
    'type', 'regular', 'list_id', c.list_id, 'list_is_active', json('true'),
    'subject_line', c.subject_line, 'emails_sent', c.emails_sent, 'abuse_reports', 0,
    'unsubscribed', c.report ->> 'unsubscribed', 'send_time', c.send_time,
    'bounces', json_object('hard_bounces', c.report ->> 'hard_bounces',
        'soft_bounces', c.report ->> 'soft_bounces', 'syntax_errors', 0),
    'opens', json_object('opens_total', c.report ->> 'opens_total',
        'unique_opens', c.report ->> 'unique_opens', 'last_open', c.report ->> 'last_open',
        'open_rate', coalesce(1.0 * (c.report ->> 'unique_opens') / nullif(c.emails_sent, 0), 0)),
    'clicks', json_object('clicks_total', c.report ->> 'clicks_total',
        'unique_clicks', c.report ->> 'unique_clicks',
        'unique_subscriber_clicks', c.report ->> 'unique_subscriber_clicks',
        'last_click', c.report ->> 'last_click', 'click_rate', coalesce(
            1.0 * (c.report ->> 'unique_subscriber_clicks') / nullif(c.emails_sent, 0), 0))))"""

_RECIPIENT = """'campaign_id', s.campaign_id, 'list_id', c.list_id, 'list_is_active', json('true'),
    'email_id', s.member_id, 'email_address', s.email_address"""

_OPENS = """from activity a where a.campaign_id = s.campaign_id and a.member_id = s.member_id
    and a.action = 'open'"""

SENT_TO = f"""json_patch('{{}}', json_object({_RECIPIENT}, 'merge_fields', json_object(),
    'vip', json('false'), 'status', s.status, 'open_count', (select count(*) {_OPENS}),
    'last_open', (select max(a.occurred_at) {_OPENS})))"""

# `?1` is the request's `since`, '' when absent.
EMAIL_ACTIVITY = f"""json_object({_RECIPIENT}, 'activity', json((
    select json_group_array(json_patch('{{}}', json_object('action', a.action,
        'type', nullif(a.activity_type, ''), 'timestamp', a.occurred_at, 'url', nullif(a.url, ''))))
    from (select * from activity b where b.campaign_id = s.campaign_id
        and b.member_id = s.member_id and b.occurred_at > ?1 order by b.occurred_at, b.seq) a)))"""

OPEN_DETAIL = f"""json_object({_RECIPIENT}, 'merge_fields', json_object(), 'vip', json('false'),
    'opens_count', (select count(*) {_OPENS}), 'opens', json((
    select json_group_array(json_object('timestamp', a.occurred_at)) {_OPENS})))"""

# `s` is a link of a campaign with its clicks (`reports.get_click_details`).
CLICK_DETAIL = """json_object('id', cast(s.link_id as text), 'url', s.url,
    'total_clicks', s.clicks, 'unique_clicks', s.people, 'last_click', s.last_click,
    'click_percentage', 1.0 * s.clicks / sum(s.clicks) over (),
    'unique_click_percentage', 1.0 * s.people / sum(s.people) over (),
    'campaign_id', s.campaign_id)"""
CLICK_MEMBER = """json_object('email_id', s.member_id, 'email_address', s.email_address,
    'merge_fields', json_object(), 'vip', json('false'), 'clicks', k.clicks,
    'campaign_id', s.campaign_id, 'url_id', k.link_id, 'list_id', c.list_id,
    'list_is_active', json('true'))"""

UNSUBSCRIBED = f"""json_object({_RECIPIENT}, 'merge_fields', json_object(), 'vip', json('false'),
    'timestamp', s.occurred_at, 'reason', coalesce(s.reason, ''))"""

TAG = "json_object('id', t.tag_id, 'name', t.name)"
MEMBER_TAG = "json_object('id', t.tag_id, 'name', t.name, 'date_added', x.date_added)"
SEGMENT = """json_object('id', t.tag_id, 'name', t.name, 'type', 'static', 'list_id', t.list_id,
    'member_count', (select count(*) from member_tags x where x.tag_id = t.tag_id),
    'created_at', t.created_at, 'updated_at', coalesce((select max(x.date_added)
        from member_tags x where x.tag_id = t.tag_id), t.updated_at))"""
MERGE_FIELD = """json_object('merge_id', f.merge_id, 'tag', f.tag, 'name', f.name, 'type', f.type,
    'required', json(iif(f.required, 'true', 'false')), 'default_value', f.default_value,
    'public', json(iif(f.public, 'true', 'false')), 'display_order', f.display_order,
    'list_id', f.list_id)"""


@dataclass(frozen=True)
class Collection:
    """A paged collection: the document of one item, where it comes from, and in which order.

    `source` ends in a condition. Parameters are numbered (`?1`), and `source` uses the highest,
    so it can be counted alone. `key` is the item's number, which finds the page before the
    documents of the rows that are skipped would be built.
    """

    name: str
    document: str
    source: str
    order: str
    values: Sequence[Any] = ()
    key: str = ""

    def page(self, connection: sqlite3.Connection, count: int, offset: int, **envelope: Any) -> str:
        """The JSON text of one page; `total_items` counts the whole collection."""
        counted = connection.execute(f"select count(*) {self.source}", self.values)
        envelope["total_items"] = counted.fetchone()[0]
        window = f"order by {self.order} limit {count:d} offset {offset:d}"
        if self.key:
            keys = f"select {self.key} {self.source} {window}"
            window = f"and {self.key} in ({keys}) order by {self.order}"
        rows = connection.execute(f"select {self.document} {self.source} {window}", self.values)
        items = ",".join(row[0] for row in rows)
        return f'{{"{self.name}":[{items}],{json.dumps(envelope)[1:]}'


def one(connection: sqlite3.Connection, document: str, source: str, values: Sequence[Any]) -> str:
    """The JSON text of a single document; a ProblemError (404) when there is none."""
    row = connection.execute(f"select {document} {source}", values).fetchone()
    if row is None:
        raise not_found()
    return str(row[0])


def member(connection: sqlite3.Connection, list_id: str, member_id: str) -> str:
    """One member's document."""
    source = "from members m where m.list_id = ?1 and m.member_id = ?2"
    return one(connection, MEMBER, source, (list_id, member_id))


def select_fields(text: str, fields: list[str], exclude: list[str]) -> str:
    """`fields` / `exclude_fields`: "reference parameters of sub-objects with dot notation"."""
    if not fields and not exclude:
        return text
    data = json.loads(text)
    if fields:
        data = _only(data, [field.split(".") for field in fields])
    for field in exclude:
        _drop(data, field.split("."))
    return json.dumps(data, ensure_ascii=False)


def _only(data: Any, paths: list[list[str]]) -> Any:
    if any(not path for path in paths):
        return data
    if isinstance(data, list):
        return [_only(item, paths) for item in data]
    if not isinstance(data, dict):
        return data
    kept = {}
    for key, value in data.items():
        deeper = [path[1:] for path in paths if path[0] == key]
        if deeper:
            kept[key] = _only(value, deeper)
    return kept


def _drop(data: Any, path: list[str]) -> None:
    if isinstance(data, list):
        for item in data:
            _drop(item, path)
    elif isinstance(data, dict) and len(path) == 1:
        data.pop(path[0], None)
    elif isinstance(data, dict) and path[0] in data:
        _drop(data[path[0]], path[1:])
