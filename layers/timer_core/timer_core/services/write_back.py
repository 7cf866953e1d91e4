"""Write the total time of issues to GitHub: into a number field, and into a comment on closed issues.

Figures are absolute, so a repetition changes nothing. What was written is recorded after each write; after a
crash in between, the write is repeated, and a comment is found by its mark.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Literal, TypeAlias

from aws_lambda_powertools import Logger

from timer_core.domain.durations import decimal_hours
from timer_core.domain.issue_details import IssueDetails
from timer_core.domain.issues import Issue
from timer_core.github.api.client import GitHub
from timer_core.github.api.comments import TotalComment
from timer_core.github.api.time_field import TimeField
from timer_core.services.capabilities import RefusedForGood, noting
from timer_core.services.issue_timers import IssueTimers
from timer_core.services.team import Team
from timer_core.services.write_back_queue import WriteBackMessage, WriteBackQueue
from timer_core.store.calendars import Calendars
from timer_core.store.health import HealthStore
from timer_core.store.issue_details import IssueDetailsStore
from timer_core.store.issue_totals import IssueTotals
from timer_core.store.repositories import PresentNames
from timer_core.store.table import Table
from timer_core.store.timers import TimerStore
from timer_core.store.timesheets import Timesheets
from timer_core.store.write_backs import NO_COMMENT, WriteBackStore, Written

# The shortest time between two writes to an issue.
INTERVAL_MS = 300_000

Outcome: TypeAlias = Literal["written", "unchanged", "passed_on", "refused", "later"]


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a message.

    Attributes
    ----------
    reason
        GitHub's answer, if it refused the write.
    """

    outcome: Outcome
    reason: str = ""


class WriteBack:
    """Writes the total time of issues.

    Parameters
    ----------
    time_field
        The name of the field; empty if no field is written.
    has_comment
        Whether closed issues get a comment.
    pace
        Called before each request that changes something on GitHub.
    """

    def __init__(
        self,
        table: Table,
        github: GitHub,
        team: Team,
        queue: WriteBackQueue,
        logger: Logger,
        *,
        time_field: str,
        has_comment: bool,
        pace: Callable[[], None],
    ) -> None:
        timers = TimerStore(table)
        self._issue_timers = IssueTimers(table, timers)
        self._totals = IssueTotals(table, Timesheets(table, timers, Calendars(table)))
        self._details = IssueDetailsStore(table)
        self._names = PresentNames(table)
        self._written = WriteBackStore(table)
        self._health = HealthStore(table)
        self._github = github
        self._team = team
        self._queue = queue
        self._logger = logger
        self._has_comment = has_comment
        self._field = TimeField(github, time_field, pace) if time_field else None
        self._comment = TotalComment(github, pace)

    def handle(self, message: WriteBackMessage, *, now_ms: int) -> Result:
        """Write the total of an issue, unless GitHub has it already.

        Raises
        ------
        Unavailable, Refused
            If GitHub does not answer now, or the credential has expired; a retry is safe.
        """
        issue, details = self._present(message.issue, now_ms)
        target = self._counts_for(details, now_ms) or issue
        if target.key != message.issue.key and not message.is_passed_on:
            # Only the messages of one issue are processed one after the other.
            self._queue.send([target], is_passed_on=True)
            return Result("passed_on")
        people = self._totals.by_person(issue, now_ms=now_ms)
        hours = decimal_hours(sum(people.values()))
        written = self._written.read(issue)
        text = self._text(details, hours, people, written)
        is_field_due = self._field is not None and hours != written.hours
        is_comment_due = bool(text) and _hash(text) != written.comment_hash
        if not is_field_due and not is_comment_due:
            return Result("unchanged")
        if now_ms < written.written_ms + INTERVAL_MS:
            # The last write was late. To wait with this message would keep all issues of the owner waiting.
            # If SQS drops the new message, another one for the issue is in the queue.
            self._queue.send([issue], is_passed_on=message.is_passed_on)
            return Result("later")
        try:
            with noting("write_back", self._github, self._health, self._logger, now_ms=now_ms):
                if is_field_due:
                    written = self._write_field(issue, hours, written, now_ms)
                if is_comment_due:
                    self._write_comment(issue, text, written, now_ms)
        except RefusedForGood as refused:
            return Result("refused", str(refused))
        return Result("written")

    def _present(self, issue: Issue, now_ms: int) -> tuple[Issue, IssueDetails]:
        """Return an issue under its present identity and name, and what is known about it."""
        (present,) = self._names.issues([self._issue_timers.home(issue)], now_ms=now_ms)
        details = self._details.read([present]).get(present.key, IssueDetails(present))
        return replace(present, is_pull=details.is_pull_request or present.is_pull), details

    def _counts_for(self, details: IssueDetails, now_ms: int) -> Issue | None:
        """Return the other issue for which the time of a pull request counts."""
        if details.counts_for is None:
            return None
        (issue,) = self._names.issues([details.counts_for], now_ms=now_ms)
        return issue if issue.repo_id else None

    def _write_field(self, issue: Issue, hours: float, written: Written, now_ms: int) -> Written:
        if self._field is not None:
            place = self._field.write(issue, hours, now_ms=now_ms)
            self._logger.info("Time written", extra={"place": place})
        written = replace(written, hours=hours, written_ms=now_ms)
        self._written.record(issue, written)
        return written

    def _write_comment(self, issue: Issue, text: str, written: Written, now_ms: int) -> None:
        comment_id = written.comment_id
        if comment_id is None:
            comment_id = self._comment.create(issue, text)
        elif not self._comment.edit(issue, comment_id, text):
            comment_id = NO_COMMENT
        self._written.record(
            issue, replace(written, written_ms=now_ms, comment_id=comment_id, comment_hash=_hash(text))
        )

    def _text(self, details: IssueDetails, hours: float, people: Mapping[int, int], written: Written) -> str:
        """Return the text of the comment; empty if there is to be none.

        The comment names people only if everyone may see the time of all of them.
        """
        is_due = written.comment_id or (written.comment_id is None and details.state == "closed" and hours)
        if not self._has_comment or not is_due:
            return ""
        kind = "pull request" if details.is_pull_request else "issue"
        text = f"Time on this {kind}: **{hours:.2f} h**"
        concerned = {user_id: ms for user_id, ms in people.items() if ms}
        logins = self._team.logins_seen_by_everyone([*concerned])
        if not concerned or logins.keys() != concerned.keys():
            return f"{text}."
        shares = sorted((logins[user_id].lower(), logins[user_id], ms) for user_id, ms in concerned.items())
        return f"{text} ({', '.join(f'{login} {decimal_hours(ms):.2f} h' for _, login, ms in shares)})."


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()
