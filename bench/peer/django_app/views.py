"""The API over timers, and GitHub's webhook."""

import hmac
import json
from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from typing import Any

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ReadOnlyModelViewSet

from bench.peer.django_app.models import InvalidTransition, Person, TimeLog, TimeLogQuerySet
from bench.peer.django_app.serializers import IssueSerializer, TimeLogSerializer


class TimeLogViewSet(ReadOnlyModelViewSet):
    """The timers of the person whose token is sent."""

    serializer_class = TimeLogSerializer

    def get_queryset(self) -> TimeLogQuerySet:
        timers = TimeLog.objects.filter(user=self.request.user)
        if self.request.query_params.get("end_time__isnull") == "true":
            timers = timers.open()
        return timers

    @action(detail=False, methods=["post"])
    def start(self, request: Request) -> Response:
        issue = IssueSerializer(data=request.data)
        issue.is_valid(raise_exception=True)
        repo, number = issue.validated_data["github_repo"], issue.validated_data["github_issue_number"]
        timer, is_new = TimeLog.objects.begin(request.user, repo, number, timezone.now())
        code = status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
        return Response(self.get_serializer(timer).data, status=code)

    @action(detail=True, methods=["post"])
    def pause(self, _: Request, pk: str) -> Response:
        return self._apply(TimeLog.pause, pk)

    @action(detail=True, methods=["post"])
    def resume(self, _: Request, pk: str) -> Response:
        return self._apply(TimeLog.resume, pk)

    @action(detail=True, methods=["post"])
    def stop(self, _: Request, pk: str) -> Response:
        return self._apply(TimeLog.stop, pk)

    def _apply(self, transition: Callable[[TimeLog, datetime], None], pk: str) -> Response:
        with transaction.atomic():
            timer = get_object_or_404(self.get_queryset().select_for_update(), pk=pk)
            try:
                transition(timer, timezone.now())
            except InvalidTransition as error:
                raise ValidationError(str(error)) from error
            timer.save_state()
        return Response(self.get_serializer(timer).data)


@csrf_exempt
@require_POST
def github_webhook(request: HttpRequest) -> HttpResponse:
    """Apply a delivery to the timers of the issue, before the response."""
    expected = hmac.new(settings.GITHUB_WEBHOOK_SECRET.encode(), request.body, sha256).hexdigest()
    if not hmac.compare_digest(request.headers.get("X-Hub-Signature-256", ""), f"sha256={expected}"):
        return JsonResponse({"detail": "X-Hub-Signature-256 is missing or wrong."}, status=401)
    if request.headers.get("X-GitHub-Event") != "issues":
        return JsonResponse({"status": "ignored"})
    payload = json.loads(request.body)
    apply = {"assigned": _assigned, "unassigned": _unassigned, "closed": _closed}.get(payload["action"])
    if apply is None:
        return JsonResponse({"status": "ignored"})
    with transaction.atomic():
        apply(payload, timezone.now())
    return JsonResponse({"status": "processed"})


def _assigned(payload: dict[str, Any], now: datetime) -> None:
    """Start or resume the assignee's timer, if they have signed in."""
    person = Person.objects.filter(github_id=payload["assignee"]["id"]).first()
    if person is None:
        return
    repo, number = payload["repository"]["full_name"], payload["issue"]["number"]
    timer, is_new = TimeLog.objects.select_for_update().begin(person, repo, number, now)
    if not is_new and timer.is_paused:
        timer.resume(now)
        timer.save_state()


def _unassigned(payload: dict[str, Any], now: datetime) -> None:
    """Pause the former assignee's timer."""
    for timer in _open(payload).filter(user__github_id=payload["assignee"]["id"], is_paused=False):
        timer.pause(now)
        timer.save_state()


def _closed(payload: dict[str, Any], now: datetime) -> None:
    """Stop everybody's timers on the issue."""
    for timer in _open(payload):
        timer.stop(now)
        timer.save_state()


def _open(payload: dict[str, Any]) -> TimeLogQuerySet:
    """Return the open timers on the issue, locked."""
    repo, number = payload["repository"]["full_name"], payload["issue"]["number"]
    timers = TimeLog.objects.open().filter(github_repo=repo, github_issue_number=number)
    return timers.select_for_update(of=("self",))
