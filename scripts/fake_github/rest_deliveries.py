"""The REST API of webhooks' deliveries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fake_github import payloads
from fake_github.messages import Answer, ApiError
from fake_github.rest import Call, Routes, in_repository, link, page_size

if TYPE_CHECKING:
    from fake_github.model import Account, Repository
    from fake_github.webhooks import Attempt, Hook

routes = Routes()


@routes.endpoint("GET", *in_repository("/hooks/{hook_id:d}/deliveries"))
def list_repository_deliveries(call: Call) -> Answer:
    return _deliveries(call, _hook(call, call.repository))


@routes.endpoint("POST", *in_repository("/hooks/{hook_id:d}/deliveries/{delivery_id:d}/attempts"))
def redeliver_for_repository(call: Call) -> Answer:
    return _redeliver(call, _hook(call, call.repository))


@routes.endpoint("GET", "/orgs/{org}/hooks/{hook_id:d}/deliveries")
def list_organization_deliveries(call: Call) -> Answer:
    return _deliveries(call, _hook(call, _organization(call)))


@routes.endpoint("POST", "/orgs/{org}/hooks/{hook_id:d}/deliveries/{delivery_id:d}/attempts")
def redeliver_for_organization(call: Call) -> Answer:
    return _redeliver(call, _hook(call, _organization(call)))


@routes.endpoint("GET", "/app/hook/deliveries")
def list_app_deliveries(call: Call) -> Answer:
    return _deliveries(call, _hook_of_app(call))


@routes.endpoint("POST", "/app/hook/deliveries/{delivery_id:d}/attempts")
def redeliver_for_app(call: Call) -> Answer:
    return _redeliver(call, _hook_of_app(call))


def _hook(call: Call, target: Repository | Account) -> Hook:
    hook = call.github.hooks.get(call.number("hook_id"))
    if hook is None or hook.target is not target:
        raise ApiError(404, "Not Found")
    return hook


def _hook_of_app(call: Call) -> Hook:
    app = call.app
    for hook in call.github.hooks.values():
        if hook.target is app:
            return hook
    raise ApiError(404, "Not Found")


def _organization(call: Call) -> Account:
    found = call.github.accounts.get(call.variables["org"].lower())
    if found is None or found.type != "Organization" or not call.viewer.sees(found):
        raise ApiError(404, "Not Found")
    return found


def _deliveries(call: Call, hook: Hook) -> Answer:
    query = call.request.query
    attempts = call.github.recent(hook)
    if status := query.get("status"):
        classes = {"success": range(200, 400), "failure": range(400, 600)}
        if status not in classes:
            raise ApiError(422, "Validation Failed")
        attempts = [one for one in attempts if one.status_code in classes[status]]
    if cursor := query.get("cursor"):
        version, _, first = cursor.partition("_")
        if version != "v1" or not first.isdecimal():
            raise ApiError(400, "Bad Request")
        attempts = [one for one in attempts if one.id <= int(first)]
    size = page_size(call)
    headers = {}
    if len(attempts) > size:
        headers["Link"] = link(call, next={**query, "cursor": f"v1_{attempts[size].id}"})
    return Answer(200, [_attempt(one) for one in attempts[:size]], headers)


def _attempt(attempt: Attempt) -> payloads.JSON:
    delivery = attempt.delivery
    return {
        "id": attempt.id,
        "guid": delivery.guid,
        "delivered_at": payloads.time(attempt.at),
        "redelivery": attempt.redelivery,
        "duration": round(attempt.duration_s, 2),
        "status": attempt.status,
        "status_code": attempt.status_code,
        "event": delivery.event,
        "action": delivery.action,
        "installation_id": delivery.installation.id if delivery.installation else None,
        "repository_id": delivery.repository.id if delivery.repository else None,
        "throttled_at": None,
    }


def _redeliver(call: Call, hook: Hook) -> Answer:
    wanted = call.number("delivery_id")
    attempt = next((one for one in hook.attempts if one.id == wanted), None)
    if attempt is None:
        raise ApiError(404, "Not Found")
    if not call.github.redeliver(attempt):
        raise ApiError(422, "Validation Failed")
    return Answer(202, {})
