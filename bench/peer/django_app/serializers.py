"""The JSON of timers, and of the requests to start one."""

from typing import ClassVar

from django.utils import timezone
from rest_framework import serializers

from bench.peer.django_app.models import TimeLog


class TimeLogSerializer(serializers.ModelSerializer):
    """A timer, with its active duration until now, and its duration once it has stopped."""

    active_duration = serializers.SerializerMethodField()
    duration = serializers.SerializerMethodField()

    class Meta:
        model = TimeLog
        fields: ClassVar = (
            "id",
            "user",
            "organization",
            "start_time",
            "end_time",
            "duration",
            "github_issue_url",
            "github_issue_number",
            "github_repo",
            "is_paused",
            "paused_duration",
            "last_pause_time",
            "active_duration",
            "description",
            "created",
        )

    def get_active_duration(self, timer: TimeLog) -> float:
        return timer.active_duration(timezone.now())

    def get_duration(self, timer: TimeLog) -> float | None:
        return timer.active_duration(timer.end_time) if timer.end_time else None


class IssueSerializer(serializers.Serializer):
    """The issue of a new timer."""

    github_repo = serializers.RegexField(r"^[A-Za-z0-9-]{1,39}/[A-Za-z0-9._-]{1,100}$")
    github_issue_number = serializers.IntegerField(min_value=1, max_value=2**31 - 1)
