"""Write a number into the field of an issue, or into the fields of its project cards.

GitHub's documentation: "REST API endpoints for issue field values", "Using the API to manage Projects".
"""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Literal, TypeAlias

from timer_core.domain.issues import Issue
from timer_core.github.api.client import GitHub
from timer_core.github.api.errors import Refused
from timer_core.github.api.graphql import QueryResult
from timer_core.github.api.issue_details import nodes

# Where the number was written; ``nowhere`` if the issue has no field of its own, and is in no project.
Target: TypeAlias = Literal["issue", "projects", "nowhere"]

# How long the fields of an organization are cached.
_CACHE_MS = 300_000
_MOST_CARDS = 20
_NO_FIELDS = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
_CARDS = f"""
    projectItems(first: {_MOST_CARDS}) {{
        nodes {{
            id isArchived
            project {{ id field(name: $field) {{ ... on ProjectV2Field {{ id dataType }} }} }}
            value: fieldValueByName(name: $field) {{ ... on ProjectV2ItemFieldNumberValue {{ number }} }}
        }}
    }}
"""
_QUERY = f"""
query($owner: String!, $name: String!, $number: Int!, $field: String!) {{
    repository(owner: $owner, name: $name) {{
        issue: issueOrPullRequest(number: $number) {{
            ... on Issue {{ {_CARDS} }}
            ... on PullRequest {{ {_CARDS} }}
        }}
    }}
}}
"""
_MUTATION = """
mutation($project: ID!, $item: ID!, $field: ID!, $number: Float!) {
    updateProjectV2ItemFieldValue(
        input: {projectId: $project, itemId: $item, fieldId: $field, value: {number: $number}}
    ) { projectV2Item { id } }
}
"""


class TimeField:
    """The number field of issues, or else of projects, that has the total time of an issue.

    Parameters
    ----------
    name
        The name of the field.
    pace
        Called before each request that changes something.
    """

    def __init__(self, github: GitHub, name: str, pace: Callable[[], None]) -> None:
        self._github = github
        self._name = name
        self._pace = pace
        # The ids of the organizations' issue fields, or None, and the times of their fetches.
        self._ids: dict[str, tuple[int | None, int]] = {}

    def write(self, issue: Issue, hours: float, *, now_ms: int) -> Target:
        """Write the total of an issue; a repeated call changes nothing.

        Raises
        ------
        Refused
            If GitHub refuses the write, or none of the issue's projects has the field.
        GitHubError
            If GitHub does not respond.
        """
        field_id = None if issue.is_pull else self._field_id(issue.owner, now_ms)
        if field_id is None:
            return self._write_cards(issue, hours)
        self._pace()
        # PUT would remove the values of the issue's other fields.
        self._github.rest(
            "POST",
            f"/repos/{issue.full_name}/issues/{issue.number}/issue-field-values",
            owner=issue.owner,
            body={"issue_field_values": [{"field_id": field_id, "value": hours}]},
        )
        return "issue"

    def _field_id(self, owner: str, now_ms: int) -> int | None:
        """Return the id of the organization's issue field; None if there is none, or we may not see it."""
        field_id, fetched_ms = self._ids.get(owner, (None, now_ms - _CACHE_MS))
        if now_ms - fetched_ms < _CACHE_MS:
            return field_id
        response = self._github.rest("GET", f"/orgs/{owner}/issue-fields", owner=owner, accept=_NO_FIELDS)
        fields = [] if response.status in _NO_FIELDS else response.data
        found = (
            int(field["id"])
            for field in fields
            if field and field["name"] == self._name and field["data_type"] == "number"
        )
        field_id = next(found, None)
        self._ids[owner] = field_id, now_ms
        return field_id

    def _write_cards(self, issue: Issue, hours: float) -> Target:
        variables = {"owner": issue.owner, "name": issue.repo, "number": issue.number, "field": self._name}
        result = _checked(self._github.graphql(_QUERY, variables, owner=issue.owner))
        cards = [card for card in nodes(_issue(result)["projectItems"]) if not card["isArchived"]]
        fields = [(card, card["project"]["field"] or {}) for card in cards]
        numbers = [(card, field["id"]) for card, field in fields if field.get("dataType") == "NUMBER"]
        if not cards:
            return "nowhere"
        if not numbers:
            raise Refused(
                HTTPStatus.OK, f"Neither the issue nor its projects have the number field {self._name}."
            )
        for card, field_id in numbers:
            if (card["value"] or {}).get("number") != hours:
                self._write_card(issue.owner, card, field_id, hours)
        return "projects"

    def _write_card(self, owner: str, card: Mapping[str, Any], field_id: str, hours: float) -> None:
        self._pace()
        variables = {
            "project": card["project"]["id"],
            "item": card["id"],
            "field": field_id,
            "number": hours,
        }
        _checked(self._github.graphql(_MUTATION, variables, owner=owner))


def _checked(result: QueryResult) -> QueryResult:
    for error in result.errors:
        status = HTTPStatus.NOT_FOUND if error.type == "NOT_FOUND" else HTTPStatus.FORBIDDEN
        raise Refused(status, error.message)
    return result


def _issue(result: QueryResult) -> Mapping[str, Any]:
    issue: Mapping[str, Any] = (result.data.get("repository") or {}).get("issue") or {"projectItems": None}
    return issue
