from typing import Any

from django.utils import timezone
from rest_framework.serializers import BaseSerializer

from bench.peer.django_app.models import TimeLog
from bench.peer.django_app.views import TimeLogViewSet


class TimeLogSerializer(BaseSerializer):
    """The same JSON as the fields of `django_app` produce."""

    def to_representation(self, timer: TimeLog) -> dict[str, Any]:
        return {
            "id": timer.id,
            "user": timer.user_id,
            "organization": timer.organization,
            "start_time": timer.start_time,
            "end_time": timer.end_time,
            "duration": timer.active_duration(timer.end_time) if timer.end_time else None,
            "github_issue_url": timer.github_issue_url,
            "github_issue_number": timer.github_issue_number,
            "github_repo": timer.github_repo,
            "is_paused": timer.is_paused,
            "paused_duration": timer.paused_duration,
            "last_pause_time": timer.last_pause_time,
            "active_duration": timer.active_duration(timezone.now()),
            "description": timer.description,
            "created": timer.created,
        }


class TunedTimeLogViewSet(TimeLogViewSet):
    serializer_class = TimeLogSerializer
