"""The keys of all items in the table. Only this module builds and parses partition keys and sort keys.

The layout is described in docs/decisions/0002-table-layout.md.
"""

from hashlib import sha256
from zlib import crc32

from timer_core.domain.ids import ulid_at
from timer_core.domain.issues import Issue

# The number of partitions of the index of open timers. A partition accepts 1,000 writes per second (AWS,
# "DynamoDB quotas"), and a start or a stop is one write.
OPEN_SHARDS = 8

# The index ``by-end`` has a range of keys for stopped timers, by their end, and then one for open timers, by
# their start. So one query reads all timers that ended after a moment or are open.
_STOPPED = 0
_OPEN = 1
# The sort key of a person's calendar in the index ``by-end``, behind those of the open timers.
CALENDAR_END_KEY = "2"
# Ends have 15 digits, which is enough for the year 9999.
_LATEST_MS = 10**15 - 1

# Keys of a single item, or of all items of one kind.
PROFILE_SK = "profile"
CALENDAR_SK = "calendar"
CONNECTIONS_SK = "live"
RETENTION_SK = "retention"
REPORT_EXPORT_SK = "report-export"
TOKEN_SK = "token"  # noqa: S105 - a key, not a secret
STATE_SK = "used"
PENDING_DELETIONS_PK = "pending-deletions"
PEOPLE_PK = "people"
LEADS_PK = "leads"
DELIVERIES_PK = "deliveries"
GITHUB_PK = "github"
GITHUB_STATUS_SK = "status"
OUTGOING_PK = "outgoing-webhooks"
SWEEPER_PK = "sweeper"
SWEEPER_PROGRESS_SK = "progress"
REPOSITORY_SK = "repository"
DETAILS_SK = "details"
RENAMED_SK = "renamed"
WRITTEN_SK = "issue"
SETTINGS_PK = "settings"
SETTINGS_SK = "policies"
RESTORE_PK = "restore"
FULL_RESTORE_SK = "full"

# Prefixes of sort keys, by which a query selects the items of one kind.
USER_TOKENS = "token#"
DAYS = "day#"
CONFIRMED_DAYS = "confirmed#"
AUDIT = "audit#"
HOOKS = "hook#"
SENDINGS = "sending#"
NOTIFICATIONS = "notification#"
NAMES = "name#"
TEAMS = "team#"
NAMED_SLOTS = "slot#"
EVENTS = "event#"
MOVES_TO = "to#"


def user_pk(user_id: int) -> str:
    """Return the partition key of a person, which is also the sort key of the person's slots."""
    return f"user#{user_id}"


def timer_sk(ulid: str) -> str:
    """Return the sort key of a timer."""
    return f"timer#{ulid}"


def start_sk(start_ms: int, ulid: str) -> str:
    """Return the sort key that a timer would have if its ULID had the time of its start."""
    return timer_sk(ulid_at(start_ms, ulid))


def start_sks(from_ms: int | None, before_ms: int | None) -> tuple[str, str]:
    """Return the lowest and the highest key, see `start_sk`, of timers that started in a range."""
    first = "" if from_ms is None else ulid_at(from_ms, "")
    last = "~" if before_ms is None else f"{ulid_at(before_ms - 1, '')}~"
    return timer_sk(first), timer_sk(last)


def idempotency_sk(key: str) -> str:
    """Return the sort key of a request that had an Idempotency-Key, given the digest of that key."""
    return f"key#{key}"


def writes_sk(minute: int) -> str:
    """Return the sort key of the number of changes in a minute (minutes since the epoch)."""
    return f"writes#{minute}"


def report_files(ulid: str) -> str:
    """Return the prefix of the sort keys of the parts of a report's file, given the ULID of its export."""
    return f"report-file#{ulid}#"


def report_file_sk(ulid: str, number: int) -> str:
    """Return the sort key of a part of a report's file."""
    return f"{report_files(ulid)}{number:03}"


def user_token_sk(token_id: str) -> str:
    """Return the sort key of a token in the partition of its owner."""
    return f"{USER_TOKENS}{token_id}"


def token_pk(text: str) -> str:
    """Return the partition key of a token, which contains the hash of the token's text."""
    return f"token#{sha256(text.encode()).hexdigest()}"


def state_pk(state: str) -> str:
    """Return the partition key of a sign-in, given its state (RFC 6749, section 10.12)."""
    return f"state#{sha256(state.encode()).hexdigest()}"


def issue_pk(issue: Issue) -> str:
    """Return the partition key of an issue."""
    return f"issue#{issue.key}"


def written_pk(issue: Issue) -> str:
    """Return the partition key of what was written to an issue, which deliveries need not read."""
    return f"written#{issue.key}"


def issue_number_of(pk: str) -> int:
    """Return the number in the partition key of an issue."""
    return int(pk.rpartition("#")[2])


def issue_key_of(pk: str) -> tuple[str, int]:
    """Return the key of the repository (`Issue.repo_key`) and the number in an issue's partition key."""
    _, repo_key, number = pk.split("#")
    return repo_key, int(number)


def slot_key(issue: Issue, user_id: int) -> tuple[str, str]:
    """Return the keys of a person's slot on an issue.

    The slots on all issues of a repository whose id is unknown share a partition, so that one query finds
    them when the id becomes known.
    """
    if issue.repo_id:
        return issue_pk(issue), user_pk(user_id)
    return repo_pk(issue.repo_key), f"{named_slots(issue.number)}{user_pk(user_id)}"


def named_slots(number: int) -> str:
    """Return the prefix of the sort keys of the slots on an issue of a repository whose id is unknown."""
    return f"{NAMED_SLOTS}{number}#"


def named_slot_of(sk: str) -> tuple[int, int]:
    """Return the issue's number and the user id in the sort key of a slot, see `named_slots`."""
    _, number, _, user_id = sk.split("#")
    return int(number), int(user_id)


def repo_pk(repo_key: str) -> str:
    """Return the partition key of a repository, see `Issue.repo_key`."""
    return f"repo#{repo_key}"


def owner_pk(login: str) -> str:
    """Return the partition key of the repositories whose names begin with a login."""
    return f"owner#{login.lower()}"


def name_sk(repo: str) -> str:
    """Return the sort key of a repository's name in the partition of its owner's login."""
    return f"{NAMES}{repo.lower()}"


def event_sk(number: int) -> str:
    """Return the sort key of the event with a number in the log of an issue."""
    return f"{EVENTS}{number:08d}"


def repository_event_sk(delivery: str) -> str:
    """Return the sort key of an event of a repository."""
    return f"{EVENTS}{delivery}"


def move_to_sk(delivery: str) -> str:
    """Return the sort key of a move under the identity before it, or for the former repository."""
    return f"{MOVES_TO}{delivery}"


def move_from_sk(delivery: str) -> str:
    """Return the sort key of a move under the identity after it."""
    return f"from#{delivery}"


def day_sk(date: str) -> str:
    """Return the sort key of a day, given an ISO 8601 date: its statistics, or a person's stored day."""
    return f"{DAYS}{date}"


def day_part_sk(date: str, part: int) -> str:
    """Return the sort key of one part of a person's stored day. The parts of a day follow each other."""
    return f"{DAYS}{date}#{part}" if part else day_sk(date)


def confirmed_sk(date: str, part: int = 0) -> str:
    """Return the sort key of a confirmed day, or of one of its further parts."""
    return f"{CONFIRMED_DAYS}{date}#{part}" if part else f"{CONFIRMED_DAYS}{date}"


def audit_sk(ulid: str) -> str:
    """Return the sort key of an entry of an audit log."""
    return f"{AUDIT}{ulid}"


def audit_sks(since_ms: int | None, until_ms: int | None) -> tuple[str, str]:
    """Return the lowest and the highest sort key of the entries between two times; the end is exclusive."""
    first = "" if since_ms is None else ulid_at(since_ms, "")
    last = "~" if until_ms is None else f"{ulid_at(until_ms - 1, '')}~"
    return audit_sk(first), audit_sk(last)


def day_of(sk: str) -> str:
    """Return the ISO 8601 date in the sort key of a day or confirmed day, or of a part of it."""
    return sk.split("#")[1]


def hook_sk(path: str) -> str:
    """Return the sort key of a webhook, given its path in GitHub's REST API."""
    return f"{HOOKS}{path}"


def outgoing_sk(webhook_id: str) -> str:
    """Return the sort key of an outgoing webhook, which is also the partition key of its sendings."""
    return f"{HOOKS}{webhook_id}"


def sending_sk(notification_id: str) -> str:
    """Return the sort key of the sending of a notification to an outgoing webhook."""
    return f"{SENDINGS}{notification_id}"


def notification_sk(notification_id: str) -> str:
    """Return the sort key of a notification in the partition of the person whom it is about."""
    return f"{NOTIFICATIONS}{notification_id}"


def team_sk(team: str) -> str:
    """Return the sort key of a lead team, given its organization and slug, such as ``octo-org/leads``."""
    return f"{TEAMS}{team}"


def open_timers_pk(shard: int) -> str:
    """Return the key of a partition of the index ``open-timers``."""
    return f"open#{shard}"


def open_shard(ulid: str) -> str:
    """Return the key of the partition of ``open-timers`` that contains an open timer."""
    return open_timers_pk(crc32(ulid.encode()) % OPEN_SHARDS)


def end_key(start_ms: int, end_ms: int | None) -> str:
    """Return a timer's sort key in the index ``by-end``: its end, or its start while it is open."""
    return _end_key(_OPEN, start_ms) if end_ms is None else _end_key(_STOPPED, end_ms)


def end_keys_of_open(from_ms: int | None = None, before_ms: int | None = None) -> tuple[str, str]:
    """Return the first and the last key in ``by-end`` of open timers that started in a range."""
    last_ms = _LATEST_MS if before_ms is None else before_ms - 1
    return _end_key(_OPEN, from_ms or 0), _end_key(_OPEN, last_ms)


def end_keys_since(since_ms: int) -> tuple[str, str]:
    """Return the first and last key in ``by-end`` of timers that are open, or ended at a moment or later."""
    return _end_key(_STOPPED, since_ms), _end_key(_OPEN, _LATEST_MS)


def end_keys_since_with_calendar(since_ms: int) -> tuple[str, str]:
    """Return the first and last key of `end_keys_since` and the person's calendar."""
    return _end_key(_STOPPED, since_ms), CALENDAR_END_KEY


def end_keys_of_stopped(since_ms: int, until_ms: int) -> tuple[str, str]:
    """Return the first and the last key in ``by-end`` of timers that ended in an interval."""
    return _end_key(_STOPPED, since_ms), _end_key(_STOPPED, until_ms - 1)


def _end_key(kind: int, ms: int) -> str:
    return f"{kind}#{min(max(ms, 0), _LATEST_MS):015d}"


def kind_of(key: str) -> str:
    """Return the part of a key that gives the kind of its item."""
    return key.partition("#")[0]


def name_of(key: str) -> str:
    """Return the part of a key that names one item of its kind, such as a timer's ULID."""
    return key.partition("#")[2]


def user_id_of(key: str) -> int:
    """Return the user id in a person's partition key."""
    return int(name_of(key))
