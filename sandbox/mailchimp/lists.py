"""Operations under `/lists`: audiences, members, tags, merge fields, static segments."""

import json
from typing import Any

from sandbox.mailchimp import bodies, documents, members, store
from sandbox.mailchimp.documents import Collection
from sandbox.mailchimp.exchange import Exchange
from sandbox.mailchimp.problems import ProblemError, invalid, not_found
from sandbox.platform_state import transaction

_SORT = {"timestamp_opt": "m.timestamp_opt", "timestamp_signup": "m.timestamp_signup",
         "last_changed": "m.last_changed"}  # fmt: skip
_TIMES = {
    "since_last_changed": "m.last_changed >", "before_last_changed": "m.last_changed <",
    "since_timestamp_opt": "m.timestamp_opt >", "before_timestamp_opt": "m.timestamp_opt <",
}  # fmt: skip
# The contract's older member documents (schemas List_Members, List_Members_1) lack these keys.
_NEWER = ("contact_id", "full_name", "source", "unsubscribe_reason", "web_id")
_NOT_SIMULATED = ("interest_category_id", "interest_ids", "interest_match", "since_last_campaign",
                  "unsubscribed_since")  # fmt: skip


def get_lists(exchange: Exchange) -> str:
    """`GET /lists`."""
    return exchange.page(Collection("lists", documents.LIST, "from lists l where true", "l.rowid"))


def get_list(exchange: Exchange) -> str:
    """`GET /lists/{list_id}`."""
    source = "from lists l where l.list_id = ?1"
    text = documents.one(exchange.connection, documents.LIST, source, (exchange.list_id,))
    return exchange.select(text)


def post_list(exchange: Exchange) -> str:
    """`POST /lists/{list_id}`: up to 500 members, with `errors[]`."""
    body = bodies.parse(bodies.Batch, exchange.body)
    with transaction(exchange.connection):
        call = exchange.call()
        done = members.batch(call, body, keep_first=exchange.flag("skip_duplicate_check"))
    return json.dumps(
        {
            "new_members": _documents(exchange, call.list_id, done["created"]),
            "updated_members": _documents(exchange, call.list_id, done["updated"]),
            "errors": done["errors"],
            "total_created": len(done["created"]),
            "total_updated": len(done["updated"]),
            "error_count": len(done["errors"]),
        },
        ensure_ascii=False,
    )


def get_members(exchange: Exchange) -> str:
    """`GET /lists/{list_id}/members`, archived ones included; in the order they were created."""
    if wanted := [name for name in _NOT_SIMULATED if name in exchange.query]:
        raise invalid(f"This sandbox does not simulate the parameter {wanted[0]}.")
    conditions, values = ["m.list_id = ?1"], [exchange.list_id]
    for name, comparison in _TIMES.items():
        if moment := exchange.moment(name):
            values.append(moment)
            conditions.append(f"{comparison} ?{len(values)}")
    for name in ("status", "email_type"):
        if name in exchange.query:
            values.append(exchange.query[name])
            conditions.append(f"m.{name} = ?{len(values)}")
    if exchange.flag("vip_only"):
        conditions.append("m.vip")
    order = "m.seq"
    if column := _SORT.get(exchange.query.get("sort_field", "")):
        descending = exchange.query.get("sort_dir", "ASC").upper() == "DESC"
        order = f"{column} {'desc' if descending else 'asc'}, m.seq"
    source = f"from members m where {' and '.join(conditions)}"
    collection = Collection("members", documents.MEMBER, source, order, values, "m.seq")
    return exchange.page(collection, list_id=exchange.list_id)


def post_member(exchange: Exchange) -> str:
    """`POST /lists/{list_id}/members`."""
    body = bodies.parse(bodies.MemberPost, exchange.body)
    with transaction(exchange.connection):
        call = exchange.call()
        member_id = members.add(call, body, check_merge=_checks_merge(exchange))
    return documents.member(exchange.connection, call.list_id, member_id)


def get_member(exchange: Exchange) -> str:
    """`GET /lists/{list_id}/members/{hash}`."""
    text = documents.member(exchange.connection, exchange.list_id, exchange.member_id)
    return exchange.select(text)


def put_member(exchange: Exchange) -> str:
    """`PUT /lists/{list_id}/members/{hash}`."""
    body = bodies.parse(bodies.MemberPut, exchange.body)
    with transaction(exchange.connection):
        call = exchange.call()
        members.put(call, exchange.member_id, body, check_merge=_checks_merge(exchange))
    return documents.member(exchange.connection, call.list_id, exchange.member_id)


def patch_member(exchange: Exchange) -> str:
    """`PATCH /lists/{list_id}/members/{hash}`."""
    body = bodies.parse(bodies.MemberPatch, exchange.body)
    with transaction(exchange.connection):
        call = exchange.call()
        members.patch(call, exchange.member_id, body)
    return documents.member(exchange.connection, call.list_id, exchange.member_id)


def delete_member(exchange: Exchange) -> None:
    """`DELETE /lists/{list_id}/members/{hash}`: archives."""
    with transaction(exchange.connection):
        members.archive(exchange.call(), exchange.member_id)


def delete_permanent(exchange: Exchange) -> None:
    """`POST .../actions/delete-permanent`."""
    with transaction(exchange.connection):
        members.forget(exchange.call(), exchange.member_id)


def get_member_tags(exchange: Exchange) -> str:
    """`GET .../tags`."""
    documents.member(exchange.connection, exchange.list_id, exchange.member_id)
    source = (
        "from member_tags x join tags t using (tag_id) where x.list_id = ?1 and x.member_id = ?2"
    )
    values = (exchange.list_id, exchange.member_id)
    return exchange.page(Collection("tags", documents.MEMBER_TAG, source, "t.tag_id", values))


def post_member_tags(exchange: Exchange) -> None:
    """`POST .../tags`: answers 204."""
    body = bodies.parse(bodies.TagChanges, exchange.body)
    wanted = {tag.name: tag.status == "active" for tag in body.tags}
    with transaction(exchange.connection):
        members.set_tags(exchange.call(), exchange.member_id, wanted)


def search_tags(exchange: Exchange) -> str:
    """`GET /lists/{list_id}/tag-search`: every tag whose name starts with `name`."""
    prefix = exchange.query.get("name", "")
    source = "from tags t where t.list_id = ?1 and substr(t.name, 1, length(?2)) = ?2"
    collection = Collection("tags", documents.TAG, source, "t.name", (exchange.list_id, prefix))
    return collection.page(exchange.connection, 1000, 0)


def get_merge_fields(exchange: Exchange) -> str:
    """`GET /lists/{list_id}/merge-fields`."""
    source = "from merge_fields f where f.list_id = ?1"
    values = (exchange.list_id,)
    collection = Collection(
        "merge_fields", documents.MERGE_FIELD, source, "f.display_order, f.merge_id", values
    )
    return exchange.page(collection, list_id=exchange.list_id)


def post_merge_field(exchange: Exchange) -> str:
    """`POST /lists/{list_id}/merge-fields`."""
    body = bodies.parse(bodies.MergeField, exchange.body)
    list_id = exchange.list_id
    with transaction(exchange.connection):
        number = exchange.connection.execute(
            "select coalesce(max(merge_id), 0) + 1 from merge_fields where list_id = ?", (list_id,)
        ).fetchone()[0]
        tag = body.tag or f"MERGE{number}"
        added = exchange.connection.execute(
            "insert or ignore into merge_fields values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (number, list_id, tag, body.name, body.type, body.required, body.default_value,
             body.public, number + 1),
        )  # fmt: skip
        if not added.rowcount:
            raise invalid(f'A Merge Field with the tag "{tag}" already exists for this list.')
    source = "from merge_fields f where f.list_id = ?1 and f.tag = ?2"
    return documents.one(exchange.connection, documents.MERGE_FIELD, source, (list_id, tag))


def get_segments(exchange: Exchange) -> str:
    """`GET /lists/{list_id}/segments`: the tags, which are the platform's static segments."""
    list_id = exchange.list_id
    source = "from tags t where t.list_id = ?1"
    if exchange.query.get("type", "static") != "static":
        source += " and false"
    collection = Collection("segments", documents.SEGMENT, source, "t.tag_id", (list_id,))
    return exchange.page(collection, list_id=list_id)


def post_segment(exchange: Exchange) -> str:
    """`POST /lists/{list_id}/segments`: a static segment, with members that are on the list."""
    body = bodies.parse(bodies.Segment, exchange.body)
    with transaction(exchange.connection):
        call = exchange.call()
        segment_id = store.tag_id(exchange.connection, call.list_id, body.name, call.now)
        _tag_addresses(call, body.name, body.static_segment, is_active=True)
    source = "from tags t where t.tag_id = ?1"
    return documents.one(exchange.connection, documents.SEGMENT, source, (segment_id,))


def post_segment_members(exchange: Exchange) -> str:
    """`POST /lists/{list_id}/segments/{id}`: adds and removes, with `errors[]` for strangers."""
    body = bodies.parse(bodies.SegmentMembers, exchange.body)
    name = _segment(exchange)["name"]
    with transaction(exchange.connection):
        call = exchange.call()
        added, unknown = _tag_addresses(call, name, body.members_to_add, is_active=True)
        removed, strange = _tag_addresses(call, name, body.members_to_remove, is_active=False)
    strangers = unknown + strange
    errors = [{"email_addresses": strangers, "error": "Email addresses not on this list"}]
    return json.dumps(
        {
            "members_added": _documents(exchange, call.list_id, added),
            "members_removed": _documents(exchange, call.list_id, removed),
            "errors": errors if strangers else [],
            "total_added": len(added),
            "total_removed": len(removed),
            "error_count": len(strangers),
        },
        ensure_ascii=False,
    )


def get_segment_members(exchange: Exchange) -> str:
    """`GET /lists/{list_id}/segments/{id}/members`: subscribed members with the tag.

    Others only when asked for ("Include unsubscribed members in response", contract).
    """
    _segment(exchange)
    also = [s for s in ("unsubscribed", "cleaned", "transactional")
            if exchange.flag(f"include_{s}")]  # fmt: skip
    statuses = ", ".join(f"'{status}'" for status in ("subscribed", *also))
    source = (
        "from member_tags x join members m using (list_id, member_id)"
        f" where x.list_id = ?1 and x.tag_id = ?2 and m.status in ({statuses})"
    )
    values = (exchange.list_id, exchange.path["segment_id"])
    text = exchange.page(Collection("members", documents.MEMBER, source, "m.seq", values, "m.seq"))
    newer = (*_NEWER[2:], "contact_id", "tags", "tags_count")
    return documents.select_fields(text, [], [f"members.{key}" for key in newer])


def _segment(exchange: Exchange) -> Any:
    row = exchange.connection.execute(
        "select name from tags where list_id = ? and tag_id = ?",
        (exchange.list_id, exchange.path["segment_id"]),
    ).fetchone()
    if row is None:
        raise not_found()
    return row


def _tag_addresses(
    call: members.Call, name: str, addresses: list[str], *, is_active: bool
) -> tuple[list[str], list[str]]:
    done, unknown = [], []
    for address in addresses:
        member_id = store.subscriber_hash(address)
        try:
            members.set_tags(call, member_id, {name: is_active})
        except ProblemError:
            unknown.append(address)
        else:
            done.append(member_id)
    return done, unknown


def _documents(exchange: Exchange, list_id: str, member_ids: list[str]) -> list[Any]:
    texts = (documents.member(exchange.connection, list_id, one) for one in member_ids)
    return [json.loads(documents.select_fields(text, [], list(_NEWER))) for text in texts]


def _checks_merge(exchange: Exchange) -> bool:
    return not exchange.flag("skip_merge_validation")
