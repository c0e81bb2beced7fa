"""Operations under `/campaigns` and `/reports`, and a member's activity feed."""

import json

from sandbox.mailchimp import documents
from sandbox.mailchimp.documents import Collection
from sandbox.mailchimp.exchange import Exchange
from sandbox.mailchimp.problems import not_found

_TIMES = {"since_send_time": "c.send_time >", "before_send_time": "c.send_time <"}
_FROM_CAMPAIGN = "join campaigns c using (campaign_id) where s.campaign_id ="

# The feed's items; `?1` list, `?2` member. Sends carry the campaign's own time.
_FEED = """from (
    select 'sent' as activity_type, c.send_time as at, c.campaign_id, c.title, null as link,
        null as bounce, null as reason
    from sends s join campaigns c using (campaign_id) where c.list_id = ?1 and s.member_id = ?2
    union all
    select a.action, a.occurred_at, c.campaign_id, c.title, nullif(a.url, ''),
        iif(a.action = 'bounce', a.activity_type, null), null
    from activity a join campaigns c using (campaign_id)
    where c.list_id = ?1 and a.member_id = ?2
    union all
    select 'unsub', u.occurred_at, c.campaign_id, c.title, null, null, u.reason
    from unsubscribes u join campaigns c using (campaign_id)
    where c.list_id = ?1 and u.member_id = ?2
) where ?3 = '' or instr(',' || ?3 || ',', ',' || activity_type || ',')"""

_FEED_ITEM = """json_patch('{}', json_object('activity_type', activity_type,
    'created_at_timestamp', at, 'campaign_id', campaign_id, 'campaign_title', title,
    'link_clicked', link, 'bounce_type', bounce, 'unsubscribe_reason', reason))"""


def get_campaigns(exchange: Exchange) -> str:
    """`GET /campaigns`; in the order of sending."""
    conditions, values = _sent_between(exchange)
    for name in ("status", "list_id"):
        if name in exchange.query:
            values.append(exchange.query[name])
            conditions.append(f"c.{name} = ?{len(values)}")
    return exchange.page(_campaigns("campaigns", documents.CAMPAIGN, conditions, values))


def get_campaign(exchange: Exchange) -> str:
    """`GET /campaigns/{campaign_id}`."""
    source, values = "from campaigns c where c.campaign_id = ?1", (exchange.campaign_id,)
    text = documents.one(exchange.connection, documents.CAMPAIGN, source, values)
    return exchange.select(text)


def get_reports(exchange: Exchange) -> str:
    """`GET /reports`: campaigns that were sent."""
    conditions, values = _sent_between(exchange)
    conditions.append("c.status = 'sent'")
    return exchange.page(_campaigns("reports", documents.REPORT, conditions, values))


def get_report(exchange: Exchange) -> str:
    """`GET /reports/{campaign_id}`."""
    source, values = "from campaigns c where c.campaign_id = ?1", (exchange.campaign_id,)
    text = documents.one(exchange.connection, documents.REPORT, source, values)
    return exchange.select(text)


def get_sent_to(exchange: Exchange) -> str:
    """`GET /reports/{campaign_id}/sent-to`: every recipient."""
    source, values = f"from sends s {_FROM_CAMPAIGN} ?1", (exchange.campaign_id,)
    collection = Collection("sent_to", documents.SENT_TO, source, "s.seq", values, "s.seq")
    return exchange.page(collection, campaign_id=exchange.campaign_id)


def get_email_activity(exchange: Exchange) -> str:
    """`GET /reports/{campaign_id}/email-activity`: every recipient, with what they did."""
    values = (exchange.moment("since") or "", exchange.campaign_id)
    source = f"from sends s {_FROM_CAMPAIGN} ?2"
    collection = Collection("emails", documents.EMAIL_ACTIVITY, source, "s.seq", values, "s.seq")
    return exchange.page(collection, campaign_id=exchange.campaign_id)


def get_member_email_activity(exchange: Exchange) -> str:
    """`GET /reports/{campaign_id}/email-activity/{hash}`."""
    source = f"from sends s {_FROM_CAMPAIGN} ?2 and s.member_id = ?3"
    values = (exchange.moment("since") or "", exchange.campaign_id, exchange.member_id)
    text = documents.one(exchange.connection, documents.EMAIL_ACTIVITY, source, values)
    return exchange.select(text)


def get_open_details(exchange: Exchange) -> str:
    """`GET /reports/{campaign_id}/open-details`: recipients who opened."""
    opened = (
        " and exists (select 1 from activity o where o.campaign_id = s.campaign_id"
        " and o.member_id = s.member_id and o.action = 'open')"
    )
    source, values = f"from sends s {_FROM_CAMPAIGN} ?1{opened}", (exchange.campaign_id,)
    collection = Collection("members", documents.OPEN_DETAIL, source, "s.seq", values, "s.seq")
    total = exchange.connection.execute(
        "select count(*) from activity where campaign_id = ? and action = 'open'", values
    ).fetchone()[0]
    return exchange.page(collection, campaign_id=exchange.campaign_id, total_opens=total)


def get_click_details(exchange: Exchange) -> str:
    """`GET /reports/{campaign_id}/click-details`: the links; a link's id is its first click's."""
    source = (
        "from (select campaign_id, url, min(seq) as link_id, count(*) as clicks, count(distinct"
        " member_id) as people, max(occurred_at) as last_click from activity"
        " where campaign_id = ?1 and action = 'click' group by campaign_id, url) s where true"
    )
    values = (exchange.campaign_id,)
    collection = Collection("urls_clicked", documents.CLICK_DETAIL, source, "s.link_id", values)
    return exchange.page(collection, campaign_id=exchange.campaign_id)


def get_click_members(exchange: Exchange) -> str:
    """`GET /reports/{campaign_id}/click-details/{link_id}/members`: who followed a link."""
    values = (exchange.campaign_id, exchange.path["link_id"])
    link = "select url from activity where campaign_id = ?1 and seq = ?2 and action = 'click'"
    if not exchange.connection.execute(link, values).fetchone():
        raise not_found()
    source = (
        f"from (select member_id, count(*) as clicks, ?2 as link_id from activity a"
        f" where a.campaign_id = ?1 and a.action = 'click' and a.url is ({link})"
        f" group by member_id) k join sends s using (member_id) {_FROM_CAMPAIGN} ?1"
    )
    collection = Collection("members", documents.CLICK_MEMBER, source, "s.seq", values, "s.seq")
    return exchange.page(collection, campaign_id=exchange.campaign_id)


def get_unsubscribed(exchange: Exchange) -> str:
    """`GET /reports/{campaign_id}/unsubscribed`."""
    source, values = f"from unsubscribes s {_FROM_CAMPAIGN} ?1", (exchange.campaign_id,)
    collection = Collection(
        "unsubscribes", documents.UNSUBSCRIBED, source, "s.seq", values, "s.seq"
    )
    return exchange.page(collection, campaign_id=exchange.campaign_id)


def get_activity_feed(exchange: Exchange) -> str:
    """`GET /lists/{list_id}/members/{hash}/activity-feed`: newest first; no `total_items`."""
    list_id, member_id = exchange.list_id, exchange.member_id
    documents.member(exchange.connection, list_id, member_id)
    wanted = exchange.query.get("activity_filters", "")
    order = "at desc, campaign_id, activity_type, link"
    collection = Collection("activity", _FEED_ITEM, _FEED, order, (list_id, member_id, wanted))
    page = json.loads(exchange.page(collection, email_id=member_id, list_id=list_id))
    page.pop("total_items", None)
    return json.dumps(page, ensure_ascii=False)


def _sent_between(exchange: Exchange) -> tuple[list[str], list[str]]:
    conditions, values = [], []
    for name, comparison in _TIMES.items():
        if moment := exchange.moment(name):
            values.append(moment)
            conditions.append(f"{comparison} ?{len(values)}")
    return conditions, values


def _campaigns(key: str, document: str, conditions: list[str], values: list[str]) -> Collection:
    source = f"from campaigns c where {' and '.join(conditions) or 'true'}"
    return Collection(key, document, source, "c.send_time, c.rowid", values)
