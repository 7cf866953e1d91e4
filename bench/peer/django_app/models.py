"""A person's timers on GitHub's issues."""

from datetime import datetime
from typing import Self

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import Q


class InvalidTransition(Exception):
    """The state of the timer does not allow the transition; the message names the state."""


class Person(AbstractUser):
    """A GitHub account that has signed in; the user name is its login."""

    github_id = models.PositiveBigIntegerField(unique=True)


class TimeLogQuerySet(models.QuerySet["TimeLog"]):
    def open(self) -> Self:
        return self.filter(end_time__isnull=True)

    def begin(self, person: Person, repo: str, number: int, now: datetime) -> tuple["TimeLog", bool]:
        """Return the open timer of a person on an issue, or a new one, and whether it is new."""
        # A concurrent start violates the unique constraint, and get_or_create then reads that start's timer.
        return self.get_or_create(
            user=person,
            github_repo=repo,
            github_issue_number=number,
            end_time=None,
            defaults={
                "organization": repo.partition("/")[0],
                "github_issue_url": f"https://github.com/{repo}/issues/{number}",
                "start_time": now,
            },
        )


class TimeLog(models.Model):
    """A timer; durations in seconds."""

    user = models.ForeignKey(Person, models.CASCADE, related_name="timelogs")
    organization = models.CharField(max_length=39)
    github_repo = models.CharField(max_length=140)
    github_issue_number = models.PositiveIntegerField()
    github_issue_url = models.URLField(max_length=255)
    description = models.TextField(blank=True)
    start_time = models.DateTimeField()
    end_time = models.DateTimeField(null=True, blank=True)
    is_paused = models.BooleanField(default=False)
    last_pause_time = models.DateTimeField(null=True, blank=True)
    paused_duration = models.FloatField(default=0)
    created = models.DateTimeField(auto_now_add=True)

    objects = TimeLogQuerySet.as_manager()

    class Meta:
        ordering = ("-start_time", "-id")
        constraints = (
            models.UniqueConstraint(
                fields=("user", "github_repo", "github_issue_number"),
                condition=Q(end_time__isnull=True),
                name="one_open_timer_per_person_and_issue",
            ),
        )
        indexes = (
            models.Index(fields=("user", "-start_time"), name="timers_of_a_person"),
            models.Index(
                fields=("github_repo", "github_issue_number"),
                condition=Q(end_time__isnull=True),
                name="open_timers_of_an_issue",
            ),
        )

    @property
    def status(self) -> str:
        if self.end_time is not None:
            return "stopped"
        return "paused" if self.is_paused else "running"

    def active_duration(self, now: datetime) -> float:
        """Return the time without pauses, of an open timer until now or its pause."""
        until = self.end_time or (self.last_pause_time if self.is_paused else now)
        return (until - self.start_time).total_seconds() - self.paused_duration

    def pause(self, now: datetime) -> None:
        self._require("running", "pause")
        self.is_paused, self.last_pause_time = True, now

    def resume(self, now: datetime) -> None:
        self._require("paused", "resume")
        self._end_pause(now)

    def stop(self, now: datetime) -> None:
        if self.is_paused:
            self._end_pause(now)
        self._require("running", "stop")
        self.end_time = now

    def save_state(self) -> None:
        self.save(update_fields=("end_time", "is_paused", "last_pause_time", "paused_duration"))

    def _end_pause(self, now: datetime) -> None:
        self.paused_duration += (now - self.last_pause_time).total_seconds()
        self.is_paused = False

    def _require(self, status: str, action: str) -> None:
        if self.status != status:
            raise InvalidTransition(f"Cannot {action} a timer that is {self.status}.")
