"""The fake GitHub's server, with faults and a record of requests."""

from __future__ import annotations

import threading
import time
import traceback
from typing import TYPE_CHECKING

from fake_github import (
    graphql_api,
    rest,
    rest_accounts,
    rest_deliveries,
    rest_issues,
    rest_teams,
    sign_in,
)
from fake_github.access import Access
from fake_github.messages import Answer, ApiError, Drop, RecordedRequest, Request
from fake_github.model import Addresses
from fake_github.server import Server

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from fake_github.faults import Fault

_ROUTES = [
    *rest_issues.routes,
    *rest_deliveries.routes,
    *rest_accounts.routes,
    *rest_teams.routes,
    *sign_in.routes,
]
_POLL_S = 0.01


class FakeGitHub(Access):
    """A fake GitHub on the loopback interface, written from GitHub's documentation.

    Its base classes define the methods. `Repositories` and `Projects` contain people's actions, `Webhooks`
    contains hooks and deliveries, `Accounts` contains accounts and Apps, and `Access` contains credentials.

    Attributes
    ----------
    url
        The base URL of the REST API, of the pages and of ``/graphql``; payloads contain `addresses`.
    requests
        All requests, oldest first.
    faults
        The faults of future requests; each applies to the first request that matches it.
    before_request, after_request
        Functions that are called with every request; `after_request` also receives the answer. If a function
        raises `Drop`, the connection is closed without an answer, before or after the request has its effect.
    mistakes
        Errors of the fake itself, such as unsupported queries. The fake raises them at its exit and in
        `reset`.

    Examples
    --------
    >>> with FakeGitHub() as github:
    ...     issue = github.new_issue("octo-org/hello-world")
    ...     github.add_hook("octo-org/hello-world", receive, "a secret")
    ...     github.assign(issue, github.new_user("ann"))
    ...     github.send(github.outbox[-1])
    """

    url: str

    def __init__(self, addresses: Addresses | None = None) -> None:
        self.mistakes: list[Exception] = []
        self._active_faults: list[Fault] = []
        super().__init__(addresses or Addresses())

    def __enter__(self) -> Self:
        self._server = Server(self.handle)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(_POLL_S,), daemon=True).start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._release()
        self._server.shutdown()
        self._server.server_close()
        if exc is None:
            self._raise_mistakes()

    def reset(self) -> None:
        """Delete everything, including credentials, hooks and faults; ids are never reused."""
        with self.lock:
            self._release()
            self._raise_mistakes()
            super().reset()
            self.requests: list[RecordedRequest] = []
            self.faults: list[Fault] = []
            self.before_request: Callable[[Request], None] = lambda _: None
            self.after_request: Callable[[Request, Answer], None] = lambda *_: None

    def _release(self) -> None:
        for fault in self._active_faults:
            fault.release()
        self._active_faults.clear()

    def _raise_mistakes(self) -> None:
        mistakes, self.mistakes = self.mistakes, []
        if mistakes:
            raise ExceptionGroup("The fake GitHub does not support all requests of the test", mistakes)

    def handle(self, request: Request) -> Answer:
        """Answer a request.

        Raises
        ------
        Drop
            If the connection is to be closed without an answer.
        """
        with self.lock:
            self.requests.append(RecordedRequest(request.method, request.target, request.body))
            fault = next((one for one in self.faults if one.is_for(request)), None)
            if fault:
                self.faults.remove(fault)
                self._active_faults.append(fault)
        self.before_request(request)
        if fault:
            answer = fault.answer(request, lambda: self._carry_out(request))
        else:
            answer = self._carry_out(request)
        self.after_request(request, answer)
        return answer

    def _carry_out(self, request: Request) -> Answer:
        try:
            with self.acting():
                answer = self._dispatch(request)
        except ApiError as error:
            answer = error.answer
        except Drop:
            raise
        except Exception as mistake:
            traceback.print_exception(mistake)
            self.mistakes.append(mistake)
            raise Drop from mistake
        limits = {
            "X-RateLimit-Limit": "5000",
            "X-RateLimit-Remaining": "4999",
            "X-RateLimit-Reset": str(int(time.time()) + 3600),
        }
        return Answer(answer.status, answer.body, {**limits, **answer.headers})

    def _dispatch(self, request: Request) -> Answer:
        if request.path == "/graphql":
            return graphql_api.answer(self, request, self.mistakes)
        return rest.answer(_ROUTES, self, self.url, request)
