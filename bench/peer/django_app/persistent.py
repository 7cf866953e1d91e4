"""The same settings, with connections to PostgreSQL that stay open; by default each request opens one."""

from bench.peer.django_app.settings import *  # noqa: F403
from bench.peer.django_app.settings import DATABASES

DATABASES["default"]["CONN_MAX_AGE"] = None
