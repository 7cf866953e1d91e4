"""The common parts of the REST API's endpoints and of the pages."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias
from urllib.parse import urlencode

from fake_github.messages import Answer, ApiError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fake_github.access import Access, Viewer
    from fake_github.messages import Request
    from fake_github.model import App, Repository

PAGE_SIZE, MAX_PAGE_SIZE = 30, 100


@dataclass(frozen=True)
class Call:
    """A request to an endpoint, and the variables in its path."""

    github: Access
    base_url: str
    request: Request
    variables: Mapping[str, str]

    def number(self, name: str) -> int:
        return int(self.variables[name])

    @property
    def viewer(self) -> Viewer:
        """The sender of the request.

        Raises
        ------
        ApiError
            401 if the request has no valid credential.
        """
        viewer = self.github.viewer(self.request)
        if viewer is None:
            raise ApiError(401, "Requires authentication")
        return viewer

    @property
    def app(self) -> App:
        """The App that sent the request as itself.

        Raises
        ------
        ApiError
            401 or 404, see `Access.calling_app`.
        """
        return self.github.calling_app(self.request)

    @property
    def repository(self) -> Repository:
        """The repository that the path names.

        Raises
        ------
        ApiError
            301 or 307 if the repository has another name now, 404 if it does not exist or the sender may
            not see it, 401 if the credential is wrong.
        """
        viewer = self.github.viewer(self.request)
        name = ""
        if "repository_id" in self.variables:
            found = self.github.repositories.get(self.number("repository_id"))
        else:
            name = f"{self.variables['owner']}/{self.variables['repo']}"
            found = self.github.repository(name, follow=True)
        if viewer is None or found is None or not viewer.sees(found.owner):
            raise ApiError(404, "Not Found")
        if name and self.github.repository(name) is None:
            path = self.request.path.removeprefix(f"/repos/{name}")
            raise self.moved(f"/repositories/{found.id}{path}")
        return found

    def moved(self, path: str) -> ApiError:
        """Return a redirect to the object's new address."""
        query = f"?{self.request.query_string}" if self.request.query_string else ""
        location = {"Location": f"{self.base_url}{path}{query}"}
        if self.request.method == "GET":
            return ApiError(301, "Moved Permanently", location)
        return ApiError(307, "Temporary Redirect", location)


Endpoint: TypeAlias = Callable[[Call], Answer]


class Route(NamedTuple):
    """An endpoint, and the method and path of its requests."""

    method: str
    path: re.Pattern[str]
    endpoint: Endpoint


class Routes(list[Route]):
    """The endpoints of a module."""

    def endpoint(self, method: str, *paths: str) -> Callable[[Endpoint], Endpoint]:
        """Register an endpoint at paths; ``{name}`` is a variable, and ``{name:d}`` a number."""

        def register(endpoint: Endpoint) -> Endpoint:
            for path in paths:
                pattern = re.sub(r"\{(\w+):d\}", r"(?P<\1>[0-9]+)", path)
                pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern)
                self.append(Route(method, re.compile(pattern), endpoint))
            return endpoint

        return register


def in_repository(path: str) -> tuple[str, str]:
    """Return two paths: one with a repository's name, and one with its id, to which GitHub redirects."""
    return f"/repos/{{owner}}/{{repo}}{path}", f"/repositories/{{repository_id:d}}{path}"


def answer(routes: Iterable[Route], github: Access, base_url: str, request: Request) -> Answer:
    """Answer a request.

    Raises
    ------
    ApiError
        The request is refused, or there is no such endpoint.
    """
    if "user-agent" not in request.headers:
        raise ApiError(403, "Request forbidden by administrative rules.")
    for route in routes:
        match = route.path.fullmatch(request.path)
        if match and route.method == request.method:
            return route.endpoint(Call(github, base_url, request, match.groupdict()))
    raise ApiError(404, "Not Found")


def page(call: Call, items: Sequence[Any]) -> Answer:
    """Answer with the requested page, and a Link header to the other pages."""
    size = page_size(call)
    asked = call.request.query.get("page", "")
    number = max(int(asked), 1) if asked.isdecimal() else 1
    last = max(-(-len(items) // size), 1)
    pages: dict[str, int] = {}
    if number > 1:
        pages |= {"prev": number - 1, "first": 1}
    if number < last:
        pages |= {"next": number + 1, "last": last}
    links = {name: {**call.request.query, "page": str(other)} for name, other in pages.items()}
    headers = {"Link": link(call, **links)} if links else {}
    return Answer(200, items[(number - 1) * size : number * size], headers)


def page_size(call: Call) -> int:
    size = call.request.query.get("per_page", "")
    return min(int(size), MAX_PAGE_SIZE) if size.isdecimal() and int(size) else PAGE_SIZE


def link(call: Call, **queries: Mapping[str, str]) -> str:
    """Return a Link header (RFC 8288) to the same path with other queries."""
    base = f"{call.base_url}{call.request.path}"
    return ", ".join(f'<{base}?{urlencode(query)}>; rel="{name}"' for name, query in queries.items())
