"""Timers as the API shows them: plain dictionaries, whose members the models describe.

Times are in UTC; durations are in seconds, with up to three decimals.
"""

from collections.abc import Callable, Mapping
from typing import Any

from timer_core.api.times import format_ms
from timer_core.api.working import WorkingTime
from timer_core.domain.audit import BY_SWEEPER, AuditEntry, Difference
from timer_core.domain.ids import timer_id
from timer_core.domain.issues import Issue
from timer_core.domain.state import MANUAL, Status
from timer_core.domain.timeline import Standing
from timer_core.domain.timers import Period, Timer, pauses
from timer_core.domain.totals import Part, Totals
from timer_core.settings import settings

# The time at which a representation does not depend on the time that has elapsed since the last change, for
# an ETag.
WITHOUT_ELAPSED_TIME = 0


def timer_facts(timer: Timer, now_ms: int) -> dict[str, Any]:
    """Return a timer's own history at a time (see `models.TimerFacts`)."""
    active = timer.active_ms(now_ms) / 1000
    return {
        "id": timer.id,
        "user": timer.user_id,
        "organization": timer.organization,
        "status": timer.status,
        "start_time": format_ms(timer.start_ms),
        "end_time": _time(timer.end_ms),
        "duration": None if timer.is_open else active,
        "active_duration": active,
        "is_paused": timer.status is Status.PAUSED,
        "paused_duration": 0.0 if timer.is_reduced else timer.paused_ms / 1000,
        "last_pause_time": _time(timer.last_pause_ms),
        "pauses": [
            {"start": format_ms(pause.since_ms), "end": _time(pause.until_ms)}
            for pause in ([] if timer.is_reduced else pauses(timer))
        ],
        **issue_members(timer.issue),
        "description": timer.description,
        "source": _shown(timer.source),
        "stopped_by": timer.stopped_by and _shown(timer.stopped_by),
        "last_sign_at": format_ms(timer.last_sign_ms),
        "created": format_ms(timer.created_ms),
        "details_deleted": timer.is_reduced,
    }


def hidden_timer(timer: Timer) -> dict[str, Any]:
    """Return what an admin sees of an open timer whose person is hidden (see `models.HiddenTimer`)."""
    return {"id": timer.id, "user": timer.user_id, "start_time": format_ms(timer.start_ms)}


def time_log(
    timer: Timer, worked: WorkingTime, now_ms: int, *, counts_for: Mapping[str, Issue]
) -> dict[str, Any]:
    """Return a timer and its working time at a time (see `models.TimeLog`).

    Parameters
    ----------
    counts_for
        The issues for which the time of pull requests counts, by the keys of these.
    """
    closed = counts_for.get(timer.issue.key) if timer.issue else None
    standing = worked.standing
    return {
        **timer_facts(timer, now_ms),
        "working_duration": (worked.working_ms if now_ms else worked.without_elapsed_ms) / 1000,
        "is_counting": standing is not None and standing.is_counting,
        "waiting_for": standing and standing.waiting_for,
        "counting_share": float(standing.share) if standing else 0.0,
        "counting_changes_at": _time(standing.changes_ms or None) if standing else None,
        "why": standing and _why(standing, timer.user_id),
        "counts_for": closed and issue_members(closed),
    }


def elapsed(timer: Timer, worked: WorkingTime, now_ms: int) -> dict[str, float]:
    """Return the members of `time_log` that change while only time elapses."""
    return {"active_duration": timer.active_ms(now_ms) / 1000, "working_duration": worked.working_ms / 1000}


def part_of_period(part: Part | None) -> dict[str, float | None]:
    """Return what a timer in the list of a period has besides (see `models.ListedTimeLog`)."""
    return {
        "part_working_duration": None if part is None else part.working_ms / 1000,
        "part_active_duration": None if part is None else part.active_ms / 1000,
        "part_first_day_working_duration": None if part is None else part.first_day_working_ms / 1000,
    }


def totals_of(totals: Totals, period: Period, *, time_zone: str, complete: bool) -> dict[str, Any]:
    """Return the totals of a period (see `models.TimeTotals`)."""
    return {
        "since": format_ms(period.since_ms),
        "until": format_ms(period.until_ms),
        "time_zone": time_zone,
        "working_duration": totals.working_ms / 1000,
        "active_duration": totals.active_ms / 1000,
        "days": [
            {
                "date": total.day.isoformat(),
                "working_duration": total.working_ms / 1000,
                "active_duration": total.active_ms / 1000,
            }
            for total in totals.days
        ],
        "issues": [
            {
                **issue_members(total.issue),
                "working_duration": total.working_ms / 1000,
                "active_duration": total.active_ms / 1000,
                "timers": total.timers,
            }
            for total in totals.issues
        ],
        "complete": complete,
    }


def audit_entry(entry: AuditEntry, user_id: int) -> dict[str, Any]:
    """Return an entry of a person's audit log (see `models.AuditEntryShown`)."""
    author = "sweeper" if entry.by == BY_SWEEPER else "self" if entry.by == user_id else "admin"
    return {
        "id": entry.ulid,
        "at": format_ms(entry.at_ms),
        "kind": entry.kind,
        "by": author,
        "user": entry.by or None,
        "reason": entry.reason,
        "differences": [_audit_difference(one, user_id) for one in entry.differences],
    }


def _audit_difference(difference: Difference, user_id: int) -> dict[str, Any]:
    subject, before, after = difference
    is_day = "-" in subject
    return {
        "timer": None if is_day else timer_id(user_id, subject),
        "date": subject if is_day else None,
        "from": before and _audited(before),
        "to": after and _audited(after),
    }


def _audited(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _AUDITED[name](value) if name in _AUDITED else value for name, value in members.items()}


def issue_members(issue: Issue | None) -> dict[str, Any]:
    """Return the members that name an issue; all are None without one."""
    return {
        "github_issue_url": issue.url(settings().github_url) if issue else None,
        "github_issue_number": issue.number if issue else None,
        "github_repo": issue.full_name if issue else None,
        "github_issue_title": issue.title or None if issue else None,
    }


def _why(standing: Standing, user_id: int) -> dict[str, Any]:
    act = standing.act
    return {
        "rule": standing.rule,
        "action": act and act.action,
        # A correction may have moved or repeated the act.
        "by": act and _shown(MANUAL if act.by_hand else act.by),
        "at": act and format_ms(act.began_ms),
        "timer": standing.timer and timer_id(user_id, standing.timer),
    }


def _time(ms: int | None) -> str | None:
    return None if ms is None else format_ms(ms)


# The forms of the members of audit entries whose stored form is another one.
_AUDITED: dict[str, Callable[[Any], object]] = {
    "start_time": _time,
    "end_time": _time,
    "pauses": lambda found: [{"start": _time(start), "end": _time(end)} for start, end in found],
    "working_duration": lambda ms: ms / 1000,
}


def _shown(kind: str) -> str:
    """Return the public name of a kind of event: ``comment`` for ``comment.start``."""
    return kind.partition(".")[0]
