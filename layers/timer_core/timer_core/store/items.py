"""The attributes of all items in the table, and the conversion of timers to items and back.

Each class describes one kind of item. Its docstring begins with the partition key and the sort key, which
`timer_core.store.keys` builds.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pynamodb.attributes import (
    Attribute,
    BinaryAttribute,
    BooleanAttribute,
    ListAttribute,
    NumberAttribute,
    NumberSetAttribute,
    UnicodeAttribute,
    UnicodeSetAttribute,
)
from pynamodb.expressions.condition import Condition
from pynamodb.models import Model

from timer_core.domain.ids import ulid_ms
from timer_core.domain.issues import Issue
from timer_core.domain.schedule import Span
from timer_core.domain.state import MANUAL, Action, Status, Transition, request_cause
from timer_core.domain.timers import Claim, Timer
from timer_core.store.keys import end_key, name_of, open_shard, start_sk, timer_sk, user_id_of, user_pk
from timer_core.store.table import RawItem

# The number of days for which events are stored. GitHub redelivers for three days, and a message can stay 14
# days in the queue and 14 more days in the dead-letter queue.
EVENT_DAYS = 31
# The age from which events are locked. Timers are not derived from locked events, because other events of the
# same time may have expired.
LOCKED_AFTER_MS = (EVENT_DAYS - 1) * 86_400_000
# The number of days for which a slot without an open timer is stored. A slot must be deleted after the
# issue's events, but TTL deletes expired items in any order within a few days. So a slot expires a week
# later.
EMPTY_SLOT_DAYS = EVENT_DAYS + 7

# The number of days for which the names of a repository are stored after its last delivery. Then responses
# show the name that the repository had when a timer was last written.
NAME_DAYS = 400

# The schema version of the timers that this release writes (see docs/decisions/0009-upgrades.md).
TIMER_SCHEMA_VERSION = 1


class TimerItem(Model):
    """``user#<id>`` / ``timer#<ULID>``: a timer, or the tombstone of a deleted timer.

    ``about`` is a JSON object with everything that no index, condition or update needs as an attribute (see
    `_encode_about`). A later release can add keys to it, but cannot add an attribute to the index ``by-end``.
    ``full_name`` is the repository's name at the time of the write; if ``repo_key`` is an id, the present
    name is in the `RepositoryItem`.

    ``repo_key`` and ``number`` are also the key of the index ``by-issue``, which has everybody's timers of an
    issue, without tombstones.

    ``history`` has one text for each transition (see `encode_history`). ``causes`` has the texts that
    identify these transitions (see `identity_of`), so that a condition can test whether one exists. Only
    writes of a timer need the causes, so no index contains them.

    A timer's ULID has the time of its first start, so that the sort key sorts timers by their starts.
    ``start_key`` exists only if the start has moved since: it is the sort key in the index ``by-start``, see
    `start_sk`.

    A tombstone expires by TTL, unless it has claims: the time of its timer, which no other timer gets. Then
    its ``history`` has the acts that begin and end breaks. ``end_key`` is the sort key in the index
    ``by-end``: the end of a stopped timer's `Timer.reach`, or the start of an open timer. ``open_shard``
    exists only while the timer is open. ``schema_version`` is the `TIMER_SCHEMA_VERSION` of the process that
    last wrote the whole item.
    """

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    schema_version = NumberAttribute(null=True)
    start_ms = NumberAttribute()
    clock_ms = NumberAttribute()
    changed_ms = NumberAttribute()
    version = NumberAttribute()
    last_pause_ms = NumberAttribute(null=True)
    paused_by = UnicodeAttribute(null=True)
    end_ms = NumberAttribute(null=True)
    full_name = UnicodeAttribute(null=True)
    repo_key = UnicodeAttribute(null=True)
    number = NumberAttribute(null=True)
    start_key = UnicodeAttribute(null=True)
    end_key = UnicodeAttribute(null=True)
    open_shard = UnicodeAttribute(null=True)
    history: ListAttribute[Any] = ListAttribute(of=UnicodeAttribute)
    causes: ListAttribute[Any] = ListAttribute(of=UnicodeAttribute)
    confirmed_span = UnicodeAttribute(null=True)
    locked_until_ms = NumberAttribute(null=True)
    about = UnicodeAttribute(null=True)
    deleted_ms = NumberAttribute(null=True)
    expires_at = NumberAttribute(null=True)


_TIMER_ATTRIBUTES = frozenset(TimerItem.get_attributes())


class SlotItem(Model):
    """``issue#<repo id#n>`` / ``user#<id>``: one person's slot on one issue.

    If only the repository's name is known, the keys are ``repo#<owner/name>`` / ``slot#<n>#user#<id>``.
    ``open_ulid`` exists while the person has an open timer on the issue, and prevents a second open timer.
    ``ulids`` contains the ULIDs of the person's timers on the issue that events may change. Events up to
    ``locked_until_ms`` do not change these timers, because an open timer was moved manually to or from the
    issue at that time. ``slot_repo`` is the repository's id, if it is known. Only a slot without an open
    timer expires by TTL. When it expires, its timers are already locked.
    """

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    open_ulid = UnicodeAttribute(null=True)
    slot_repo = UnicodeAttribute(null=True)
    ulids = UnicodeSetAttribute(null=True)
    locked_until_ms = NumberAttribute(null=True)
    expires_at = NumberAttribute(null=True)


class EventItem(Model):
    """``issue#<repo id#n>`` / ``event#<number>`` or ``repo#<id>`` / ``event#<delivery>``: an event on GitHub.

    The events in the log of an issue are numbered, see `timer_core.store.event_log`. An event of a repository
    concerns all of its issues. ``users`` and ``actor`` contain only people who were tracked. The item expires
    by TTL.
    """

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    delivery = UnicodeAttribute()
    kind = UnicodeAttribute()
    at_ms = NumberAttribute()
    users = UnicodeSetAttribute(null=True)
    title = UnicodeAttribute(null=True)
    received_ms = NumberAttribute(null=True)
    backfilled = BooleanAttribute(null=True)
    order = NumberAttribute(null=True)
    except_users = UnicodeSetAttribute(null=True)
    card = UnicodeAttribute(null=True)
    actor = NumberAttribute(null=True)
    expires_at = NumberAttribute()


class MoveItem(Model):
    """``issue#<repo id#n>`` / ``to#`` or ``from#<delivery>``: the transfer of an issue to another repository.

    The move is stored for the issue before (``to#``) and after the transfer (``from#``), and as
    ``repo#<id>`` / ``to#<delivery>`` for the former repository. ``origin`` and
    ``target`` contain the repository's id, its full name and the issue's number, with spaces. The item
    expires by TTL.
    """

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    origin = UnicodeAttribute()
    target = UnicodeAttribute()
    at_ms = NumberAttribute()
    expires_at = NumberAttribute()


class IssueDetailsItem(Model):
    """``issue#<repo id#n>`` / ``details``: what is known about an issue on which somebody is or was timed.

    ``registers`` is a JSON object: each register's name, with the two parts of the time of its observation
    and its content (`timer_core.domain.issue_details`). It names no person. Each write increments
    ``version``, on the condition that it has not changed since its read. After the issue was transferred, its
    registers are under its present identity, and this item is empty and expires by TTL.

    If the time of a pull request counts for another issue (`IssueDetails.counts_for`), ``repo_key`` and
    ``number`` are those of this issue. So the index ``by-issue`` has the pull request beside its timers.
    """

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    registers = UnicodeAttribute()
    version = NumberAttribute()
    repo_key = UnicodeAttribute(null=True)
    number = NumberAttribute(null=True)
    expires_at = NumberAttribute(null=True)


class RepositoryItem(Model):
    """``repo#<id>`` / ``repository``: the name that a repository had at ``named_at``, the latest one known.

    ``observed_at`` is the time at which the part of the name after the owner was observed, before
    ``named_at`` if the owner was renamed since. ``joined`` contains all names of the repository, in lower
    case, whose slots were joined with the slots under the repository's id. ``events_until`` is the time
    (seconds since the epoch) at which the last event of the repository expires; it does not exist if there
    was none. The item expires by TTL, long after the last delivery of the repository.
    """

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    full_name = UnicodeAttribute()
    named_at = NumberAttribute()
    observed_at = NumberAttribute()
    joined = UnicodeSetAttribute(null=True)
    events_until = NumberAttribute(null=True)
    expires_at = NumberAttribute()


class NameItem(Model):
    """``owner#<login>`` / ``name#<repository>``: the repository that had a name at ``named_at``.

    The item expires by TTL, like the `RepositoryItem`.
    """

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    repo_id = NumberAttribute()
    named_at = NumberAttribute()
    expires_at = NumberAttribute()


class OwnerRenamedItem(Model):
    """``owner#<login>`` / ``renamed``: the user or organization got another login at ``named_at``.

    The item expires by TTL, after the last delivery with the former login.
    """

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    login = UnicodeAttribute()
    named_at = NumberAttribute()
    expires_at = NumberAttribute()


class IdempotencyItem(Model):
    """``user#<id>`` / ``key#<hash>``: the timer in the response to a request with an Idempotency-Key.

    ``former_state`` is what the request has changed, if it was a correction
    (`timer_core.store.former_state`). ``undone`` replaces it when the correction is undone. The item expires
    by TTL.
    """

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    ulid = UnicodeAttribute()
    created = BooleanAttribute()
    request_hash = UnicodeAttribute()
    former_state = BinaryAttribute(null=True, legacy_encoding=False)
    undone = BooleanAttribute(null=True)
    expires_at = NumberAttribute()


class CalendarItem(Model):
    """``user#<id>`` / ``calendar``: a person's working hours, exceptions and settings.

    ``about`` is a JSON object with ``versions``, ``exceptions`` and ``assignment_starts``, which are lists of
    texts, and ``chosen``, which is true once the person has decided about working hours. A write of them
    increments ``version``, on the condition that it has not changed since its read.

    The days before ``stored_until_ms`` are stored, and ``carry`` is the state of the timeline at this time.
    ``has_moved_starts`` is set by each write of a timer that has a ``start_key``.
    ``dirty_days`` contains the beginnings of the UTC days from which on stored days may be outdated, and
    ``dirty_changes`` the number of times that days were added, or that a day which was over was changed by
    hand. ``confirmed`` contains the confirmed days, as ranges of dates with their instants, and the time up
    to which details are deleted (`timer_core.store.retention`). In the index ``by-end``, ``end_key``
    puts the item behind the open timers, so that one query reads both.
    """

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    about = UnicodeAttribute(null=True)
    version = NumberAttribute(null=True)
    dirty_days = NumberSetAttribute(null=True)
    dirty_changes = NumberAttribute(null=True)
    stored_until_ms = NumberAttribute(null=True)
    carry = BinaryAttribute(null=True, legacy_encoding=False)
    confirmed = BinaryAttribute(null=True, legacy_encoding=False)
    has_moved_starts = BooleanAttribute(null=True)
    end_key = UnicodeAttribute(null=True)


class StoredDayItem(Model):
    """``user#<id>`` / ``day#<date>``: a person's working time on a UTC day.

    See `timer_core.store.stored_days`. A day that does not fit into one item has further parts,
    ``day#<date>#1`` and so on.
    """

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    content = BinaryAttribute(legacy_encoding=False)


class ConfirmedDayItem(Model):
    """``user#<id>`` / ``confirmed#<date>``: the slices of a day that its person has confirmed.

    ``locked`` exists if the organization's lock has frozen the day, and not its person.

    ``since_ms`` and ``until_ms`` are the beginning and the end of the day when it was confirmed. ``content``
    has the form of a stored day. A day that does not fit into one item has further parts,
    ``confirmed#<date>#1`` and so on.
    """

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    since_ms = NumberAttribute()
    until_ms = NumberAttribute()
    confirmed_ms = NumberAttribute()
    locked = BooleanAttribute(null=True)
    content = BinaryAttribute(legacy_encoding=False)


class AuditItem(Model):
    """``user#<id>`` / ``audit#<ULID>``: an entry of a person's audit log (`timer_core.domain.audit`).

    The entries about the organization's lock are in the partition ``settings``.
    ``by`` is the user id of its author, or 0 for the sweeper. ``content`` is a JSON list of the differences.
    The item is written in the transaction of the change, and deleted with the account only.
    """

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    kind = UnicodeAttribute()
    by = NumberAttribute()
    reason = UnicodeAttribute(null=True)
    content = UnicodeAttribute()


class PersonItem(Model):
    """``people`` / ``user#<id>``: a person who is registered or has stored days, so that all are found."""

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)


class LeadTeamItem(Model):
    """``leads`` / ``team#<organization>/<slug>``: the members of a GitHub team whose members are leads.

    ``members`` contains the ids of their accounts, also of people who never signed in. ``team_id`` is
    GitHub's id of the team, if a delivery named it. Each write increments ``version``.
    """

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    members = NumberSetAttribute(null=True)
    team_id = NumberAttribute(null=True)
    version = NumberAttribute()


class SettingsItem(Model):
    """``settings`` / ``policies``: the organization's settings, with those that held before.

    ``policies`` contains one text for each change, in order; the first are the defaults. ``locked_until`` is
    the last date that is locked (ISO 8601). The item does not exist before the first change.
    """

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    policies: ListAttribute[Any] = ListAttribute(of=UnicodeAttribute, null=True)
    locked_until = UnicodeAttribute(null=True)


class ProfileItem(Model):
    """``user#<id>`` / ``profile``: a registered person, or a marker for a deleted account.

    Sessions that began before ``signed_out_ms`` have ended. The sessions in ``ended`` have ended too; each is
    stored with the time at which it would have expired. A person who requested deletion at
    ``deletion_requested_ms`` is not tracked. The marker remains after the person's other items are deleted.
    The marker expires by TTL, unless people who never signed in are tracked. After the person signs in again,
    events up to ``events_ignored_until_ms`` (the time of the request) are ignored. ``tokens_made`` is the
    number of all tokens ever created. Because of this number, concurrent requests cannot exceed the limit.
    ``visibility`` is the person's choice of who sees their time; it does not exist before the choice.
    """

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    login = UnicodeAttribute()
    name = UnicodeAttribute(null=True)
    avatar_url = UnicodeAttribute(null=True)
    created_ms = NumberAttribute()
    signed_out_ms = NumberAttribute(null=True)
    deletion_requested_ms = NumberAttribute(null=True)
    events_ignored_until_ms = NumberAttribute(null=True)
    ended = UnicodeSetAttribute(null=True)
    tokens_made = NumberAttribute(null=True)
    visibility = UnicodeAttribute(null=True)
    expires_at = NumberAttribute(null=True)


def has_requested_deletion(profile: RawItem) -> bool:
    """Whether the person of a profile has requested account deletion, even if the deletion is finished."""
    return "deletion_requested_ms" in profile


class PendingDeletionItem(Model):
    """``pending-deletions`` / ``user#<id>``: a requested account deletion that is not finished."""

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    requested_ms = NumberAttribute()


class TokenItem(Model):
    """``token#<sha256>`` / ``token``: an API token, stored under the hash of its text.

    ``used_ms`` is the time of its last use, accurate to one day.
    """

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    user_id = NumberAttribute()
    login = UnicodeAttribute()
    token_id = UnicodeAttribute()
    name = UnicodeAttribute()
    scope = UnicodeAttribute(null=True)
    created_ms = NumberAttribute()
    used_ms = NumberAttribute(null=True)
    expires_at = NumberAttribute(null=True)


class UserTokenItem(Model):
    """``user#<id>`` / ``token#<token id>``: an API token in its owner's list of tokens."""

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    token_hash = UnicodeAttribute()
    name = UnicodeAttribute()
    scope = UnicodeAttribute(null=True)
    created_ms = NumberAttribute()
    expires_at = NumberAttribute(null=True)


class StateItem(Model):
    """``state#<hash>`` / ``used``: a completed sign-in, or a used ticket. The item expires by TTL."""

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    expires_at = NumberAttribute()


class WritesItem(Model):
    """``user#<id>`` / ``writes#<minute>``: the number of a person's changes in a minute.

    The item expires by TTL.
    """

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    changes = NumberAttribute()
    expires_at = NumberAttribute()


class DayItem(Model):
    """``deliveries`` / ``day#<date>``: the numbers of processed, ignored and failed deliveries.

    ``last_...`` describe the delivery that was handled last on this day, see `LastDelivery`. At
    ``refused_ms``, a delivery with a wrong signature was received.
    """

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    processed = NumberAttribute(null=True)
    ignored = NumberAttribute(null=True)
    failed = NumberAttribute(null=True)
    last_event = UnicodeAttribute(null=True)
    last_source = UnicodeAttribute(null=True)
    last_received_ms = NumberAttribute(null=True)
    last_state = UnicodeAttribute(null=True)
    last_reason = UnicodeAttribute(null=True)
    refused_ms = NumberAttribute(null=True)
    expires_at = NumberAttribute()


class GitHubItem(Model):
    """``github`` / ``status``: the kind of the credential for GitHub's API, and its missing capabilities."""

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    credential = UnicodeAttribute()
    cannot = UnicodeSetAttribute(null=True)


class HookItem(Model):
    """``github`` / ``hook#<path>``: a webhook that has sent deliveries. The item expires by TTL.

    Failed deliveries of the webhook up to ``repaired_ms`` were redelivered. If a run has run out of time, the
    next run continues at ``list_page``, after the attempt ``list_sent_id``. When a run reaches the end of the
    list, all failed deliveries up to ``list_until_ms`` have been redelivered.
    """

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    repaired_ms = NumberAttribute(null=True)
    list_page = UnicodeAttribute(null=True)
    list_sent_id = NumberAttribute(null=True)
    list_until_ms = NumberAttribute(null=True)
    expires_at = NumberAttribute()


class ProgressItem(Model):
    """``sweeper`` / ``progress``: the progress of a sweep that ran out of time.

    ``stale_found`` is the number of stale timers that the last sweep has found, in all its parts.
    ``locked_until`` is the lock whose days are frozen for everybody. Until
    ``leased_until_ms``, a run compares open timers with their issues, and no other run does.
    """

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    compared_ms = NumberAttribute(null=True)
    leased_until_ms = NumberAttribute(null=True)
    stale_after = NumberAttribute(null=True)
    stale_found = NumberAttribute(null=True)
    locked_until = UnicodeAttribute(null=True)


def raw(item: Model) -> RawItem:
    """Return an item in the format of DynamoDB's API."""
    serialized: RawItem = item.serialize()
    return serialized


def timer_item(timer: Timer) -> RawItem:
    """Convert a timer to an item, including attributes that only a later release knows.

    Raises
    ------
    ValueError
        If the timer was read from an index, which has no causes.
    """
    if timer.is_projection:
        raise ValueError("A timer that was read from an index must be read again before it is written.")
    issue = timer.issue
    values: dict[str, str | int | list[str] | None] = {
        "pk": user_pk(timer.user_id),
        "sk": timer_sk(timer.ulid),
        "schema_version": TIMER_SCHEMA_VERSION,
        "start_ms": timer.start_ms,
        "clock_ms": timer.clock_ms,
        "changed_ms": timer.changed_ms,
        "start_key": start_sk(timer.start_ms, timer.ulid) if timer.start_ms != ulid_ms(timer.ulid) else None,
        "end_key": end_key(timer.start_ms, None if timer.is_open else timer.reach.until_ms),
        "version": timer.version,
        "last_pause_ms": timer.last_pause_ms,
        "paused_by": timer.paused_by,
        "end_ms": timer.end_ms,
        "full_name": issue.full_name if issue else None,
        "number": issue.number if issue else None,
        "repo_key": issue.repo_key if issue else None,
        "open_shard": open_shard(timer.ulid) if timer.end_ms is None else None,
        "history": encode_history(timer.ulid, timer.history),
        "causes": encode_causes(timer.ulid, timer.history),
        "confirmed_span": encode_span(timer.confirmed_span) if timer.confirmed_span else None,
        "locked_until_ms": timer.locked_until_ms,
        "about": _encode_about(timer),
    }
    unknown = {name: value for name, value in timer.unknown_attributes.items() if name != "about"}
    return unknown | {name: _encoded(value) for name, value in values.items() if value is not None}


def _encoded(value: str | int | list[str]) -> dict[str, Any]:
    """Return a value in the format of DynamoDB's API."""
    if isinstance(value, list):
        return {"L": [{"S": element} for element in value]}
    return {"S": value} if isinstance(value, str) else {"N": str(value)}


def to_timer(item: RawItem) -> Timer:
    """Convert an item, or its projection in an index, to a timer.

    PynamoDB would take six times as long, and requests read hundreds of timers.
    """
    ulid = name_of(item["sk"]["S"])
    about = _about(item)
    end_ms, last_pause_ms = _number(item, "end_ms"), _number(item, "last_pause_ms")
    status = Status.RUNNING if last_pause_ms is None else Status.PAUSED
    issue = _to_issue(item, about)
    unknown: dict[str, Any] = {}
    if not _TIMER_ATTRIBUTES.issuperset(item):
        unknown = {name: item[name] for name in item.keys() - _TIMER_ATTRIBUTES}
    if not _ABOUT.issuperset(about):
        unknown["about"] = {key: value for key, value in about.items() if key not in _ABOUT}
    return Timer(
        user_id=user_id_of(item["pk"]["S"]),
        ulid=ulid,
        start_ms=int(item["start_ms"]["N"]),
        created_ms=about["created_ms"] if "created_ms" in about else ulid_ms(ulid),
        clock_ms=int(item["clock_ms"]["N"]),
        changed_ms=int(item["changed_ms"]["N"]),
        source=about.get("source", MANUAL),
        status=status if end_ms is None else Status.STOPPED,
        issue=issue,
        organization=about.get("organization", issue.owner if issue else None),
        description=about.get("description", ""),
        last_pause_ms=last_pause_ms,
        paused_by=_text(item, "paused_by"),
        end_ms=end_ms,
        stopped_by=None if end_ms is None else about.get("stopped_by", MANUAL),
        locked_until_ms=_number(item, "locked_until_ms"),
        history=history_of(item),
        claims=_to_claims(about),
        signs=tuple(about.get("signs", ())),
        confirmed_span=decode_span(item["confirmed_span"]["S"]) if "confirmed_span" in item else None,
        absorbed=tuple(about.get("absorbed", ())),
        is_reduced=about.get("is_reduced", False),
        version=int(item["version"]["N"]),
        unknown_attributes=unknown,
        is_projection="causes" not in item,
    )


def to_gaps(item: RawItem) -> Timer:
    """Convert the tombstone of a deleted timer that has claims to a timer whose only time is gaps.

    Its history has what `timer_core.domain.timeline.lasting` returns.
    """
    claims = claims_of(item)
    history = history_of(item)
    start_ms = min([*(claim.since_ms for claim in claims), *(done.at_ms for done in history)])
    end_ms = max([*(claim.until_ms for claim in claims), *(done.at_ms for done in history)])
    return Timer(
        user_id=user_id_of(item["pk"]["S"]),
        ulid=name_of(item["sk"]["S"]),
        start_ms=start_ms,
        created_ms=start_ms,
        clock_ms=0,
        changed_ms=end_ms,
        source="",
        status=Status.STOPPED,
        end_ms=end_ms,
        history=history,
        claims=claims,
    )


def to_issue(item: RawItem) -> Issue | None:
    """Return the issue of a timer, given the timer's item or a projection; None if it has no issue.

    The index ``open-timers`` does not contain the title.
    """
    return _to_issue(item, _about(item))


def _to_issue(item: RawItem, about: dict[str, Any]) -> Issue | None:
    if "number" not in item:
        return None
    owner, _, repo = item["full_name"]["S"].partition("/")
    repo_key = item["repo_key"]["S"]
    repo_id = int(repo_key) if repo_key.isdecimal() else 0
    is_pull = about.get("is_pull", False)
    return Issue(owner, repo, int(item["number"]["N"]), about.get("title", ""), repo_id, is_pull)


def description_of(item: RawItem) -> str:
    """Return the description of a timer, given its item or a projection."""
    description: str = _about(item).get("description", "")
    return description


def tombstone(
    pk: str,
    sk: str,
    now_ms: int,
    locked_until_ms: int | None,
    gaps: Sequence[Span] = (),
    history: Sequence[Transition] = (),
) -> RawItem:
    """Return the tombstone of a deleted timer.

    Parameters
    ----------
    locked_until_ms
        The time up to which the tombstone locks events.
    gaps
        The time of the timer, in order. No other timer gets it, so a tombstone with gaps does not expire.
    history
        The lasting part of the timer's history, if it had time (`timer_core.domain.timeline.lasting`).
    """
    item: RawItem = {"pk": {"S": pk}, "sk": {"S": sk}, "deleted_ms": {"N": str(now_ms)}}
    if locked_until_ms is not None:
        item["locked_until_ms"] = {"N": str(locked_until_ms)}
    if not gaps:
        return item | {"expires_at": {"N": str(expiry(now_ms, EVENT_DAYS))}}
    claims = [_encode_claim(Claim(*gap, now_ms, counts=False)) for gap in gaps]
    item["about"] = {"S": compact({"claims": claims})}
    for name, entries in (
        ("history", encode_history(name_of(sk), history)),
        ("causes", encode_causes(name_of(sk), history)),
    ):
        item[name] = {"L": [{"S": entry} for entry in entries]}
    reach = to_gaps(item).reach
    return item | {"end_key": {"S": end_key(reach.since_ms, reach.until_ms)}}


def is_tombstone(item: RawItem) -> bool:
    """Whether a timer was deleted, given its item or a projection, which has no ``deleted_ms``.

    Conditions in the table use ``deleted_ms`` instead, because they also hold for items that do not exist.
    """
    return "version" not in item


def claims_of(item: RawItem) -> tuple[Claim, ...]:
    """Return the claims of a timer or a tombstone, given its item or a projection."""
    return _to_claims(_about(item))


def _to_claims(about: dict[str, Any]) -> tuple[Claim, ...]:
    return tuple(
        Claim(since_ms, until_ms, made_ms, bool(counts))
        for since_ms, until_ms, made_ms, counts in about.get("claims", ())
    )


def history_of(item: RawItem) -> tuple[Transition, ...]:
    """Return the history of a timer, or what a tombstone has of it, given its item or a projection.

    A projection has no causes, apart from the ULID at which a timer was divided.
    """
    entries = [entry["S"] for entry in item["history"]["L"]] if "history" in item else []
    causes = (entry["S"] for entry in item["causes"]["L"]) if "causes" in item else None
    return decode_history(name_of(item["sk"]["S"]), entries, causes)


def locked_until(item: RawItem) -> int:
    """Return the time (milliseconds since the epoch) up to which a stopped or deleted timer locks events.

    A corrected timer locks events up to its old end or its corrected end, whichever is later.
    """
    locked_until_ms = _number(item, "locked_until_ms") or 0
    if is_tombstone(item):
        return locked_until_ms
    timer = to_timer(item)
    return max(locked_until_ms, timer.end_ms or 0, *(transition.at_ms for transition in timer.history))


def as_read(attribute: Attribute[Any], value: object) -> Condition:
    """Return the condition that an attribute has not changed since its read.

    Parameters
    ----------
    value
        The value that was read; None if the attribute did not exist.
    """
    return attribute.does_not_exist() if value is None else attribute == value


def expiry(now_ms: int, days: float) -> int:
    """Return the time (seconds since the epoch) at which an item expires after some days."""
    return int(now_ms / 1000 + days * 86_400)


# Unlike json.loads, its raw_decode does not look for white space, which `compact` does not write.
_DECODER = json.JSONDecoder()

# The letters of actions in a stored history.
_LETTERS = {
    Action.START: "s",
    Action.PAUSE: "p",
    Action.RESUME: "r",
    Action.STOP: "x",
    Action.FOCUS: "f",
    Action.REQUEST: "q",
}
_ACTIONS = {letter: action for action, letter in _LETTERS.items()}
# A cause that is the timer's own ULID, and the mark of a cause that is a hash of an Idempotency-Key.
_OWN_ULID = "@"
_KEYED = "="


def identity_of(ulid: str, transition: Transition) -> str:
    """Return the text that identifies a transition of a timer, so that a repeated request is recognized.

    A request is identified by its Idempotency-Key alone, so that another request with this key is recognized
    too.
    """
    if transition.key:
        return f"{_KEYED}{transition.key}"
    cause = _OWN_ULID if transition.cause == ulid else transition.cause
    return f"{_LETTERS[transition.action]}{'' if transition.divides else cause}"


def encode_causes(ulid: str, history: Iterable[Transition]) -> list[str]:
    """Return the stored causes of transitions: their identities, each with the hash of a keyed request."""
    causes = list[str]()
    for transition in history:
        causes.append(identity_of(ulid, transition))
        if transition.key:
            causes.append(transition.cause.removeprefix(request_cause(transition.key, "")))
    return causes


def encode_history(ulid: str, history: Iterable[Transition]) -> list[str]:
    """Return the stored form of transitions, without causes.

    Each text begins with the letter of the action, and the milliseconds since the time of the timer's ULID in
    base 36. The kind of the cause follows if it is not manual, then flags. The ULID of a divided timer's
    second part is a flag, because the timeline needs this cause.
    """
    since_ms = ulid_ms(ulid)
    return [_encode_transition(transition, since_ms) for transition in history]


def _encode_transition(transition: Transition, since_ms: int) -> str:
    flags = ["own"] * transition.by_owner + ["overtime"] * transition.overtime + ["hand"] * transition.by_hand
    if transition.acted_ms is not None:
        flags.append(f"acted={transition.acted_ms}")
    if transition.divides:
        flags.append(f"cause={transition.cause}")
    by = [transition.by] if flags or transition.by != MANUAL else []
    return " ".join([f"{_LETTERS[transition.action]}{_base36(transition.at_ms - since_ms)}", *by, *flags])


def decode_history(ulid: str, entries: Iterable[str], causes: Iterator[str] | None) -> tuple[Transition, ...]:
    """Return transitions, given their stored form and their stored causes; None if these were not read."""
    since_ms = ulid_ms(ulid)
    history = list[Transition]()
    for entry in entries:
        act, _, origin = entry.partition(" ")
        cause = "" if causes is None else _decode_cause(ulid, causes)
        transition = Transition(since_ms + int(act[1:], 36), _ACTIONS[act[0]], MANUAL, cause)
        history.append(_decode_origin(transition, origin) if origin else transition)
    return tuple(history)


def _decode_origin(transition: Transition, origin: str) -> Transition:
    """Return a transition with the kind of its cause and its flags, see `encode_history`."""
    by, *flags = origin.split(" ")
    values = dict(flag.split("=", 1) for flag in flags if "=" in flag)
    return transition._replace(
        by=by,
        cause=transition.cause or values.get("cause", ""),
        by_owner="own" in flags,
        overtime="overtime" in flags,
        acted_ms=int(values["acted"]) if "acted" in values else None,
        by_hand="hand" in flags,
    )


def _decode_cause(ulid: str, causes: Iterator[str]) -> str:
    identity = next(causes)
    if identity.startswith(_KEYED):
        return request_cause(identity.removeprefix(_KEYED), next(causes))
    cause = identity[1:]
    return ulid if cause == _OWN_ULID else cause


def _base36(number: int) -> str:
    """Return a number in base 36, which `int` reads."""
    digits, rest = "", abs(number)
    while rest or not digits:
        rest, digit = divmod(rest, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return f"-{digits}" if number < 0 else digits


# The keys of ``about`` that this release knows.
_ABOUT = frozenset(
    {
        "title",
        "is_pull",
        "organization",
        "description",
        "source",
        "created_ms",
        "stopped_by",
        "claims",
        "signs",
        "absorbed",
        "is_reduced",
    }
)


def _encode_about(timer: Timer) -> str | None:
    """Return the JSON object in ``about``, without values that `to_timer` takes as the default."""
    issue = timer.issue
    values: dict[str, tuple[object, object]] = {
        "title": (issue.title if issue else "", ""),
        "is_pull": (bool(issue and issue.is_pull), False),
        "organization": (timer.organization, issue.owner if issue else None),
        "description": (timer.description, ""),
        "source": (timer.source, MANUAL),
        "created_ms": (timer.created_ms, ulid_ms(timer.ulid)),
        "stopped_by": (timer.stopped_by, None if timer.end_ms is None else MANUAL),
        "claims": ([_encode_claim(claim) for claim in timer.claims], []),
        "signs": ([*timer.signs], []),
        "absorbed": ([*timer.absorbed], []),
        "is_reduced": (timer.is_reduced, False),
    }
    known = {key: value for key, (value, default) in values.items() if value != default}
    about = {**timer.unknown_attributes.get("about", {}), **known}
    return compact(about) if about else None


def _about(item: RawItem) -> dict[str, Any]:
    about: dict[str, Any] = _DECODER.raw_decode(item["about"]["S"])[0] if "about" in item else {}
    return about


def compact(document: object) -> str:
    """Return the JSON of a document, without spaces."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def _encode_claim(claim: Claim) -> list[int]:
    return [claim.since_ms, claim.until_ms, claim.made_ms, int(claim.counts)]


def encode_span(span: Span) -> str:
    """Return the stored form of an interval: its beginning and its end."""
    return f"{span.since_ms} {span.until_ms}"


def decode_span(text: str) -> Span:
    """Return an interval, given its stored form."""
    since_ms, until_ms = text.split(" ")
    return Span(int(since_ms), int(until_ms))


def _text(item: RawItem, name: str) -> str | None:
    return item[name]["S"] if name in item else None


def _number(item: RawItem, name: str) -> int | None:
    return int(item[name]["N"]) if name in item else None
