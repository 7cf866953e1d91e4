from django.urls import include, path
from rest_framework.routers import DefaultRouter

from bench.peer.django_app.views import TimeLogViewSet, github_webhook

router = DefaultRouter()
router.register("timelogs", TimeLogViewSet, basename="timelog")

urlpatterns = [
    path("api/", include(router.urls)),
    path("api/github-timer-webhook/", github_webhook),
]
