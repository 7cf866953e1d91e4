from django.urls import include, path
from rest_framework.routers import SimpleRouter

from bench.peer.django_app.views import github_webhook
from bench.peer.django_tuned.views import TunedTimeLogViewSet

router = SimpleRouter()
router.register("timelogs", TunedTimeLogViewSet, basename="timelog")

urlpatterns = [
    path("api/", include(router.urls)),
    path("api/github-timer-webhook/", github_webhook),
]
