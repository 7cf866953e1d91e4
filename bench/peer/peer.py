"""The peer's worker: its WSGI application in a process of its own, with DJANGO_SETTINGS_MODULE."""

import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from io import BytesIO
from typing import Any

from django.core.management import call_command
from django.core.wsgi import get_wsgi_application

from bench.peer.worker import Account, PastTimer, Request, Response, measured, serve

application = get_wsgi_application()

# These modules need the settings that the application has loaded.
from rest_framework.authtoken.models import Token  # noqa: E402

from bench.peer.django_app.models import Person, TimeLog  # noqa: E402


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages."""
    return {
        "Python": platform.python_version(),
        "Django": metadata.version("django"),
        "Django REST framework": metadata.version("djangorestframework"),
        "psycopg": metadata.version("psycopg"),
    }


def create_tables() -> None:
    call_command("migrate", run_syncdb=True, verbosity=0)


def add_person(past: Sequence[PastTimer]) -> Account:
    """Register a person with these timers."""
    github_id = 1000 + Person.objects.count()
    person = Person.objects.create(github_id=github_id, username=f"octocat-{github_id}")
    TimeLog.objects.bulk_create(_timer(person, timer) for timer in past)
    return Account(github_id, person.username, Token.objects.create(user=person).key)


def _timer(person: Person, past: PastTimer) -> TimeLog:
    start, pause, resume, end = (datetime.fromtimestamp(ms / 1000, UTC) for ms in past[2:])
    return TimeLog(
        user=person,
        organization=past.repo.partition("/")[0],
        github_repo=past.repo,
        github_issue_number=past.number,
        github_issue_url=f"https://github.com/{past.repo}/issues/{past.number}",
        start_time=start,
        end_time=end,
        last_pause_time=pause,
        paused_duration=(resume - pause).total_seconds(),
    )


def respond(request: Request) -> Response:
    """Respond to a request as a WSGI server passes it on (PEP 3333)."""
    environ = _environ(request)
    statuses: list[str] = []

    def start_response(status: str, _: list[tuple[str, str]], __: Any = None) -> None:
        statuses.append(status)

    def call() -> tuple[int, bytes]:
        response = application(environ, start_response)
        body = b"".join(response)
        # Django ends the request here, and closes connections that are not persistent.
        response.close()
        return int(statuses[0].split()[0]), body

    return measured(call)


def _environ(request: Request) -> dict[str, Any]:
    path, _, query = request.target.partition("?")
    headers = {f"HTTP_{name.upper().replace('-', '_')}": text for name, text in request.headers.items()}
    return {
        **headers,
        "CONTENT_LENGTH": str(len(request.body)),
        "CONTENT_TYPE": headers.pop("HTTP_CONTENT_TYPE", ""),
        "HTTP_HOST": "api.example.com",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "REMOTE_ADDR": "192.0.2.1",
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "SERVER_NAME": "api.example.com",
        "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.errors": sys.stderr,
        "wsgi.input": BytesIO(request.body),
        "wsgi.multiprocess": True,
        "wsgi.multithread": False,
        "wsgi.run_once": False,
        "wsgi.url_scheme": "https",
        "wsgi.version": (1, 0),
    }


if __name__ == "__main__":
    serve(
        int(sys.argv[1]),
        {"versions": versions, "create_tables": create_tables, "add_person": add_person, "respond": respond},
    )
