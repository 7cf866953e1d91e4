"""The objects at the fake GitHub.

``typename`` is the name of an object's GraphQL type; the other attributes have the names of the REST API.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


@dataclass(frozen=True)
class Addresses:
    """The base addresses of the pages and the API, and the address of an account's picture."""

    web: str = "https://github.com"
    api: str = "https://api.github.com"
    avatar: str = "https://avatars.githubusercontent.com/u/{id}?v=4"


class Thing:
    """An object with an id; most objects also have a page (``url``)."""

    id: int

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {getattr(self, 'url', self.id)}>"


@dataclass(eq=False, repr=False)
class Account(Thing):
    """A person, a bot or an organization.

    ``type`` is ``User``, ``Bot`` or ``Organization``; ``members`` contains the roles of an organization's
    members (``admin`` or ``member``), ``issue_types`` and ``issue_fields`` the types and the number fields of
    its issues.
    """

    id: int
    node_id: str
    login: str
    type: str
    addresses: Addresses
    name: str = ""
    issue_types: dict[str, IssueType] = field(default_factory=dict)
    issue_fields: dict[str, IssueField] = field(default_factory=dict)
    members: dict[Account, str] = field(default_factory=dict)

    @property
    def typename(self) -> str:
        return self.type

    @property
    def url(self) -> str:
        return f"{self.addresses.web}/{self.login}"

    @property
    def avatar_url(self) -> str:
        return self.addresses.avatar.format(id=self.id)


@dataclass(eq=False, repr=False)
class Team(Thing):
    """A team of an organization; ``members`` does not contain those of its child teams."""

    id: int
    node_id: str
    name: str
    organization: Account
    parent: Team | None = None
    members: list[Account] = field(default_factory=list)
    typename: ClassVar = "Team"

    @property
    def slug(self) -> str:
        """The slug that GitHub makes of the name."""
        return re.sub(r"[^a-z0-9_]+", "-", self.name.lower()).strip("-")

    @property
    def url(self) -> str:
        return f"{self.organization.addresses.web}/orgs/{self.organization.login}/teams/{self.slug}"


@dataclass(eq=False, repr=False)
class Label(Thing):
    id: int
    node_id: str
    name: str
    repository: Repository
    color: str = "ededed"
    description: str | None = None
    typename: ClassVar = "Label"


@dataclass(eq=False, repr=False)
class Milestone(Thing):
    id: int
    node_id: str
    number: int
    title: str
    repository: Repository
    creator: Account
    created_at: datetime
    updated_at: datetime
    typename: ClassVar = "Milestone"

    @property
    def url(self) -> str:
        return f"{self.repository.url}/milestone/{self.number}"


@dataclass(eq=False, repr=False)
class IssueType(Thing):
    """A type of an organization's issues."""

    id: int
    node_id: str
    name: str
    created_at: datetime
    typename: ClassVar = "IssueType"


@dataclass(eq=False, repr=False)
class IssueField(Thing):
    """A number field of an organization's issues."""

    id: int
    node_id: str
    name: str
    typename: ClassVar = "IssueFieldNumber"


@dataclass(eq=False, repr=False)
class IssueFieldValue(Thing):
    """The value of an issue's field."""

    id: int
    node_id: str
    field: IssueField
    value: float
    typename: ClassVar = "IssueFieldNumberValue"


@dataclass(eq=False, repr=False)
class Repository(Thing):
    """A private repository.

    Issues and pull requests have one sequence of numbers; ``transferred`` and ``deleted`` contain the numbers
    of former issues.
    """

    id: int
    node_id: str
    name: str
    owner: Account
    created_at: datetime
    updated_at: datetime
    description: str | None = None
    archived: bool = False
    issues: dict[int, Issue] = field(default_factory=dict)
    pulls: dict[int, PullRequest] = field(default_factory=dict)
    labels: dict[str, Label] = field(default_factory=dict)
    milestones: dict[str, Milestone] = field(default_factory=dict)
    transferred: dict[int, Issue] = field(default_factory=dict)
    deleted: set[int] = field(default_factory=set)
    last_number: int = 0
    typename: ClassVar = "Repository"

    @property
    def full_name(self) -> str:
        return f"{self.owner.login}/{self.name}"

    @property
    def url(self) -> str:
        return f"{self.owner.url}/{self.name}"

    @property
    def api_url(self) -> str:
        return f"{self.owner.addresses.api}/repos/{self.full_name}"


@dataclass(eq=False, repr=False)
class Issue(Thing):
    """An issue; ``timeline`` contains its events, comments and reviews, oldest first."""

    id: int
    node_id: str
    repository: Repository
    number: int
    title: str
    user: Account
    created_at: datetime
    updated_at: datetime
    state: str = "open"
    state_reason: str | None = None
    closed_at: datetime | None = None
    assignees: list[Account] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    timeline: list[Event | Comment | Review] = field(default_factory=list)
    cards: list[Card] = field(default_factory=list)
    milestone: Milestone | None = None
    issue_type: IssueType | None = None
    parent: Issue | None = None
    field_values: dict[str, IssueFieldValue] = field(default_factory=dict)
    typename: ClassVar = "Issue"

    @property
    def comments(self) -> list[Comment]:
        return [item for item in self.timeline if isinstance(item, Comment)]

    @property
    def url(self) -> str:
        return f"{self.repository.url}/issues/{self.number}"


@dataclass(eq=False, repr=False)
class PullRequest(Issue):
    """A pull request, which is an issue in GitHub's REST API; merging it closes the issues in ``closes``."""

    closes: list[Issue] = field(default_factory=list)
    draft: bool = False
    requested_reviewers: list[Account] = field(default_factory=list)
    merged_at: datetime | None = None
    typename: ClassVar = "PullRequest"

    @property
    def body(self) -> str | None:
        """The closing keywords for the issues in ``closes``."""
        return "\n".join(f"Closes {one.repository.full_name}#{one.number}" for one in self.closes) or None

    @property
    def url(self) -> str:
        return f"{self.repository.url}/pull/{self.number}"


@dataclass(eq=False, repr=False)
class Event(Thing):
    """An event of an issue; the attributes after ``actor`` depend on ``typename``."""

    typename: str
    id: int
    node_id: str
    created_at: datetime
    actor: Account
    assignee: Account | None = None
    label: Label | None = None
    from_repository: Repository | None = None
    state_reason: str | None = None
    requested_reviewer: Account | None = None


@dataclass(eq=False, repr=False)
class Comment(Thing):
    id: int
    node_id: str
    issue: Issue
    user: Account
    body: str
    created_at: datetime
    updated_at: datetime
    app: App | None = None
    reactions: list[Reaction] = field(default_factory=list)
    typename: ClassVar = "IssueComment"

    @property
    def url(self) -> str:
        return f"{self.issue.url}#issuecomment-{self.id}"


@dataclass(eq=False, repr=False)
class Review(Thing):
    """A submitted review; ``state`` is ``approved``, ``changes_requested`` or ``commented``."""

    id: int
    node_id: str
    pull: PullRequest
    user: Account
    state: str
    body: str | None
    created_at: datetime
    typename: ClassVar = "PullRequestReview"

    @property
    def url(self) -> str:
        return f"{self.pull.url}#pullrequestreview-{self.id}"


@dataclass(eq=False, repr=False)
class Reaction(Thing):
    id: int
    node_id: str
    user: Account
    content: str
    created_at: datetime


@dataclass(eq=False, repr=False)
class Project(Thing):
    """A project (V2) of an organization."""

    id: int
    node_id: str
    number: int
    title: str
    owner: Account
    fields: dict[str, Field] = field(default_factory=dict)
    number_fields: dict[str, NumberField] = field(default_factory=dict)
    typename: ClassVar = "ProjectV2"

    @property
    def url(self) -> str:
        return f"{self.owner.addresses.web}/orgs/{self.owner.login}/projects/{self.number}"


@dataclass(eq=False, repr=False)
class Field(Thing):
    """A single-select field of a project."""

    id: int
    node_id: str
    name: str
    project: Project
    options: tuple[Option, ...] = ()
    typename: ClassVar = "ProjectV2SingleSelectField"


@dataclass(eq=False, repr=False)
class NumberField(Thing):
    """A number field of a project."""

    id: int
    node_id: str
    name: str
    project: Project
    data_type: ClassVar = "number"
    typename: ClassVar = "ProjectV2Field"


@dataclass(frozen=True)
class Option:
    id: str
    name: str
    color: str = "GRAY"
    description: str = ""


@dataclass(eq=False, repr=False)
class Draft(Thing):
    """The content of a project's card that has no issue."""

    id: int
    node_id: str
    title: str
    typename: ClassVar = "DraftIssue"


@dataclass(eq=False, repr=False)
class Card(Thing):
    """An item of a project."""

    id: int
    node_id: str
    project: Project
    content: Issue | Draft
    creator: Account
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None = None
    values: dict[str, FieldValue] = field(default_factory=dict)
    numbers: dict[str, NumberValue] = field(default_factory=dict)
    typename: ClassVar = "ProjectV2Item"


@dataclass(eq=False, repr=False)
class FieldValue(Thing):
    """The value of a card's single-select field."""

    id: int
    node_id: str
    card: Card
    field: Field
    option: Option
    created_at: datetime
    updated_at: datetime
    typename: ClassVar = "ProjectV2ItemFieldSingleSelectValue"


@dataclass(eq=False, repr=False)
class NumberValue(Thing):
    """The value of a card's number field."""

    id: int
    node_id: str
    field: NumberField
    number: float
    created_at: datetime
    updated_at: datetime
    typename: ClassVar = "ProjectV2ItemFieldNumberValue"


@dataclass(eq=False, repr=False)
class App(Thing):
    """A GitHub App; ``private_key`` (PEM) authenticates the App."""

    id: int
    node_id: str
    slug: str
    name: str
    owner: Account
    bot: Account
    client_id: str
    client_secret: str
    private_key: str
    created_at: datetime
    permissions: dict[str, str]
    events: tuple[str, ...]
    callback_urls: Sequence[str] = ()
    allows_any_path_below: ClassVar = False
    installations: list[Installation] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"{self.owner.addresses.web}/apps/{self.slug}"


@dataclass(eq=False)
class OAuthApp:
    """An OAuth App, which can only sign people in."""

    name: str
    client_id: str
    client_secret: str
    callback_urls: tuple[str, ...]
    allows_any_path_below: ClassVar = True


@dataclass(eq=False, repr=False)
class Installation(Thing):
    id: int
    node_id: str
    app: App
    account: Account
    created_at: datetime
