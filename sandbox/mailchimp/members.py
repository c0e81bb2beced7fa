"""What the platform does to a member when the API asks it to; every write is one transaction.

An effect is logged only when something really changed, in the same transaction, so the log
proves what the platform did however often a client repeated itself or was killed.
"""

import json
import re
import sqlite3
from dataclasses import dataclass
from typing import Any

from sandbox.mailchimp import store
from sandbox.mailchimp.bodies import (
    Batch,
    BatchMember,
    MemberFields,
    MemberPatch,
    MemberPost,
    MemberPut,
)
from sandbox.mailchimp.problems import ProblemError, invalid, not_found

_ADDRESS = re.compile(r"[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+")


@dataclass(frozen=True)
class Call:
    """One request inside its transaction: the list it speaks of, its id, the simulated time."""

    connection: sqlite3.Connection
    list_id: str
    request_id: str
    now: str

    def find(self, member_id: str) -> sqlite3.Row | None:
        """The member's row, or None."""
        found: sqlite3.Row | None = self.connection.execute(
            "select * from members where list_id = ? and member_id = ?", (self.list_id, member_id)
        ).fetchone()
        return found

    def effect(self, member_id: str, effect: str, tag: str | None = None) -> None:
        """Log a change."""
        member = (self.list_id, member_id)
        store.log_effect(self.connection, self.request_id, member, effect, tag)


def add(call: Call, body: MemberPost, *, check_merge: bool) -> str:
    """`POST .../members`: a new member with its tags; refuses an address that is on the list."""
    member_id = store.subscriber_hash(body.email_address)
    existing = call.find(member_id)
    if existing and existing["status"] != "archived":
        raise ProblemError(
            400,
            "Member Exists",
            f"{body.email_address} is already a list member. Use PUT to insert or update list"
            " members.",
        )
    if existing:
        _change(call, existing, body, body.status)
    else:
        _create(call, body.email_address, body, body.status, check_merge=check_merge)
    set_tags(call, member_id, dict.fromkeys(body.tags, True))
    return member_id


def put(call: Call, member_id: str, body: MemberPut, *, check_merge: bool) -> str:
    """`PUT .../members/{hash}`: creates with `status_if_new`, else updates.

    The contract asks for `status_if_new` "only if the email address is not already present", so
    it moves no existing member; an archived one needs `status` to come back.
    """
    if store.subscriber_hash(body.email_address) != member_id:
        # Ours, stricter than the contract (which is silent): no client of this sandbox means it.
        raise invalid("The email address does not belong to the subscriber hash.")
    existing = call.find(member_id)
    if existing is None:
        _create(call, body.email_address, body, body.status_if_new, check_merge=check_merge)
    else:
        _change(call, existing, body, body.status)
    return member_id


def patch(call: Call, member_id: str, body: MemberPatch) -> str:
    """`PATCH .../members/{hash}`: changes what is given; 404 for a stranger."""
    existing = call.find(member_id)
    if existing is None:
        raise not_found()
    if body.email_address and store.subscriber_hash(body.email_address) != member_id:
        raise invalid("This sandbox does not simulate a change of address.")
    _change(call, existing, body, body.status)
    return member_id


def archive(call: Call, member_id: str) -> None:
    """`DELETE .../members/{hash}` "archive a list member"; a second time answers 404."""
    existing = call.find(member_id)
    if existing is None or existing["status"] == "archived":
        raise not_found()
    call.connection.execute(
        "update members set status = 'archived', last_changed = ? where seq = ?",
        (call.now, existing["seq"]),
    )
    call.effect(member_id, "archived")


def forget(call: Call, member_id: str) -> None:
    """`.../actions/delete-permanent`: "this will make it impossible to re-import" the address."""
    existing = call.find(member_id)
    if existing is None:
        raise not_found()
    key = (call.list_id, member_id)
    call.connection.execute("delete from members where seq = ?", (existing["seq"],))
    call.connection.execute("delete from member_tags where list_id = ? and member_id = ?", key)
    for table in ("sends", "unsubscribes"):
        call.connection.execute(
            f"update {table} set email_address = '' where member_id = ?", (member_id,)
        )
    call.connection.execute("insert or ignore into forgotten values (?, ?)", key)
    call.effect(member_id, "archived")


def set_tags(call: Call, member_id: str, wanted: dict[str, bool]) -> None:
    """Add (True) and remove (False) tags by name; a tag that is already so is left alone."""
    existing = call.find(member_id)
    if existing is None:
        raise not_found()
    changed = False
    for name, is_active in wanted.items():
        tag_id = store.tag_id(call.connection, call.list_id, name, call.now)
        key = (call.list_id, member_id, tag_id)
        if is_active:
            insert = "insert or ignore into member_tags values (?, ?, ?, ?)"
            done = call.connection.execute(insert, (*key, call.now))
        else:
            delete = "delete from member_tags where list_id = ? and member_id = ? and tag_id = ?"
            done = call.connection.execute(delete, key)
        if done.rowcount:
            call.effect(member_id, "tag_added" if is_active else "tag_removed", name)
            changed = True
    if changed:
        call.connection.execute(
            "update members set last_changed = ? where seq = ?", (call.now, existing["seq"])
        )


def batch(call: Call, body: Batch, *, keep_first: bool) -> dict[str, Any]:
    """`POST /lists/{id}`: answers 200 and says in `errors[]` which members it refused."""
    created: list[str] = []
    updated: list[str] = []
    errors: list[dict[str, str]] = []
    taken: set[str] = set()
    for member in body.members:
        member_id = store.subscriber_hash(member.email_address)
        if member_id in taken:
            if not keep_first:
                errors.append(_batch_error(member, "Duplicate items found for this email"))
            continue
        taken.add(member_id)
        try:
            existing = call.find(member_id)
            if existing is None:
                _create(call, member.email_address, member, member.status or "subscribed")
                created.append(member_id)
            elif body.update_existing:
                _change(call, existing, member, member.status)
                updated.append(member_id)
            else:
                words = "is already a list member, do you want to update? please provide"
                words = f"{member.email_address} {words} update_existing:true in the request body"
                errors.append(_batch_error(member, words, "ERROR_CONTACT_EXISTS"))
        except ProblemError as problem:
            errors.append(_batch_error(member, problem.detail))
    return {"created": created, "updated": updated, "errors": errors}


def _batch_error(member: BatchMember, words: str, code: str = "ERROR_GENERIC") -> dict[str, str]:
    return {
        "email_address": member.email_address,
        "error": words,
        "error_code": code,
        "field": "",
        "field_message": "",
    }


def _create(
    call: Call, address: str, body: MemberFields, status: str, *, check_merge: bool = True
) -> None:
    member_id = store.subscriber_hash(address)
    if not _ADDRESS.fullmatch(address) or len(address) > 254:
        raise invalid("Please provide a valid email address.")
    if call.connection.execute(
        "select 1 from forgotten where list_id = ? and member_id = ?", (call.list_id, member_id)
    ).fetchone():
        raise ProblemError(
            400,
            "Forgotten Email Not Subscribed",
            f"{address} was permanently deleted and cannot be re-imported. The contact must"
            " re-subscribe to get back on the list.",
        )
    fields = _known_fields(call, body.merge_fields, check_required=check_merge)
    call.connection.execute(
        "insert into members (list_id, member_id, email_address, full_name, status, email_type,"
        " merge_fields, language, vip, source, timestamp_signup, timestamp_opt, last_changed)"
        " values (?, ?, ?, ?, ?, ?, ?, ?, ?, 'API - Generic', ?, ?, ?)",
        (call.list_id, member_id, address, _full_name(fields), status, body.email_type or "html",
         json.dumps(fields, ensure_ascii=False), body.language or "", bool(body.vip),
         store.iso(body.timestamp_signup), store.iso(body.timestamp_opt) or call.now, call.now),
    )  # fmt: skip
    call.effect(member_id, "member_created")


def _change(call: Call, existing: sqlite3.Row, body: MemberFields, status: str | None) -> None:
    status = status or existing["status"]
    if existing["is_refused"] and status == "subscribed" != existing["status"]:
        # Only the person can undo a refusal; `pending` asks for it by mail:
        # https://mailchimp.com/developer/marketing/docs/errors/ "Member In Compliance State".
        raise ProblemError(
            400,
            "Member In Compliance State",
            f"{existing['email_address']} is in a compliance state due to unsubscribe, bounce, or"
            " compliance review and cannot be subscribed.",
        )
    before = json.loads(existing["merge_fields"])
    fields = before | _known_fields(call, body.merge_fields, check_required=False)
    after = {
        "status": status,
        "email_type": body.email_type or existing["email_type"],
        "language": existing["language"] if body.language is None else body.language,
        "vip": existing["vip"] if body.vip is None else int(body.vip),
        "merge_fields": existing["merge_fields"] if fields == before
        else json.dumps(fields, ensure_ascii=False),
        "full_name": existing["full_name"] if fields == before else _full_name(fields),
    }  # fmt: skip
    if all(existing[column] == value for column, value in after.items()):
        return
    assignments = ", ".join(f"{column} = ?" for column in after)
    call.connection.execute(
        f"update members set {assignments}, last_changed = ? where seq = ?",
        (*after.values(), call.now, existing["seq"]),
    )
    leaves = status == "unsubscribed" != existing["status"]
    call.effect(existing["member_id"], "unsubscribed" if leaves else "member_updated")


def _known_fields(call: Call, given: dict[str, Any], *, check_required: bool) -> dict[str, Any]:
    """The given merge fields that the list has; others are dropped without a word."""
    known = call.connection.execute(
        "select tag, required from merge_fields where list_id = ?", (call.list_id,)
    ).fetchall()
    missing = [row["tag"] for row in known if row["required"] and not given.get(row["tag"])]
    if check_required and missing:
        # https://github.com/ibericode/mailchimp-for-wordpress/issues/545
        errors = [(tag, "Please enter a value") for tag in missing]
        raise invalid("Your merge fields were invalid.", errors)
    return {row["tag"]: given[row["tag"]] for row in known if row["tag"] in given}


def _full_name(fields: dict[str, Any]) -> str:
    """Family name first: the simulated retailer's customers are Vietnamese."""
    return f"{fields.get('LNAME', '')} {fields.get('FNAME', '')}".strip()
