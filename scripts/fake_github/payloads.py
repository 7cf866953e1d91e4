"""The objects as JSON, in the shapes of GitHub's REST API and webhooks."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any, TypeAlias

from fake_github.model import Draft, PullRequest

if TYPE_CHECKING:
    from datetime import datetime

    from fake_github.model import (
        Account,
        App,
        Card,
        Comment,
        Installation,
        Issue,
        IssueField,
        IssueFieldValue,
        IssueType,
        Label,
        Milestone,
        Option,
        Reaction,
        Repository,
        Review,
        Team,
    )

JSON: TypeAlias = dict[str, Any]

REACTIONS = ("+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes")

# The last commit of every branch.
_SHA = "ec26c3e57ca3a959ca5aad62de7213c562f8c821"

_ACCOUNT_URLS = {
    "url": "",
    "followers_url": "/followers",
    "following_url": "/following{/other_user}",
    "gists_url": "/gists{/gist_id}",
    "starred_url": "/starred{/owner}{/repo}",
    "subscriptions_url": "/subscriptions",
    "organizations_url": "/orgs",
    "repos_url": "/repos",
    "events_url": "/events{/privacy}",
    "received_events_url": "/received_events",
}
_ORGANIZATION_URLS = {
    "url": "",
    "repos_url": "/repos",
    "events_url": "/events",
    "hooks_url": "/hooks",
    "issues_url": "/issues",
    "members_url": "/members{/member}",
    "public_members_url": "/public_members{/member}",
}
_REPOSITORY_URLS = {
    "url": "",
    "forks_url": "/forks",
    "keys_url": "/keys{/key_id}",
    "collaborators_url": "/collaborators{/collaborator}",
    "teams_url": "/teams",
    "hooks_url": "/hooks",
    "issue_events_url": "/issues/events{/number}",
    "events_url": "/events",
    "assignees_url": "/assignees{/user}",
    "branches_url": "/branches{/branch}",
    "tags_url": "/tags",
    "blobs_url": "/git/blobs{/sha}",
    "git_tags_url": "/git/tags{/sha}",
    "git_refs_url": "/git/refs{/sha}",
    "trees_url": "/git/trees{/sha}",
    "statuses_url": "/statuses/{sha}",
    "languages_url": "/languages",
    "stargazers_url": "/stargazers",
    "contributors_url": "/contributors",
    "subscribers_url": "/subscribers",
    "subscription_url": "/subscription",
    "commits_url": "/commits{/sha}",
    "git_commits_url": "/git/commits{/sha}",
    "comments_url": "/comments{/number}",
    "issue_comment_url": "/issues/comments{/number}",
    "contents_url": "/contents/{+path}",
    "compare_url": "/compare/{base}...{head}",
    "merges_url": "/merges",
    "archive_url": "/{archive_format}{/ref}",
    "downloads_url": "/downloads",
    "issues_url": "/issues{/number}",
    "pulls_url": "/pulls{/number}",
    "milestones_url": "/milestones{/number}",
    "notifications_url": "/notifications{?since,all,participating}",
    "labels_url": "/labels{/name}",
    "releases_url": "/releases{/id}",
    "deployments_url": "/deployments",
}


def time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def account(who: Account) -> JSON:
    base = f"{who.addresses.api}/users/{who.login}"
    return {
        "login": who.login,
        "id": who.id,
        "node_id": who.node_id,
        "avatar_url": who.avatar_url,
        "gravatar_id": "",
        **{name: base + path for name, path in _ACCOUNT_URLS.items()},
        "html_url": who.url,
        "type": who.type,
        "user_view_type": "public",
        "site_admin": False,
    }


def organization(who: Account) -> JSON:
    base = f"{who.addresses.api}/orgs/{who.login}"
    return {
        "login": who.login,
        "id": who.id,
        "node_id": who.node_id,
        **{name: base + path for name, path in _ORGANIZATION_URLS.items()},
        "avatar_url": who.avatar_url,
        "description": "",
    }


def team(what: Team) -> JSON:
    parent = None if what.parent is None else _team(what.parent)
    return _team(what) | {"parent": parent}


def _team(what: Team) -> JSON:
    base = f"{what.organization.addresses.api}/organizations/{what.organization.id}/team/{what.id}"
    return {
        "name": what.name,
        "id": what.id,
        "node_id": what.node_id,
        "slug": what.slug,
        "description": None,
        "privacy": "closed",
        "notification_setting": "notifications_enabled",
        "url": base,
        "html_url": what.url,
        "members_url": f"{base}/members{{/member}}",
        "repositories_url": f"{base}/repos",
        "permission": "pull",
        "type": "organization",
        "organization_id": what.organization.id,
    }


def team_member(who: Account, *, inherited: bool) -> JSON:
    return account(who) | {"role": "member", "inherited": inherited}


def repository(repo: Repository) -> JSON:
    base = repo.api_url
    open_issues = sum(issue.state == "open" for issue in repo.issues.values())
    return {
        "id": repo.id,
        "node_id": repo.node_id,
        "name": repo.name,
        "full_name": repo.full_name,
        "private": True,
        "owner": account(repo.owner),
        "html_url": repo.url,
        "description": repo.description,
        "fork": False,
        **{name: base + path for name, path in _REPOSITORY_URLS.items()},
        "created_at": time(repo.created_at),
        "updated_at": time(repo.updated_at),
        "pushed_at": time(repo.created_at),
        "git_url": f"git://github.com/{repo.full_name}.git",
        "ssh_url": f"git@github.com:{repo.full_name}.git",
        "clone_url": f"{repo.url}.git",
        "svn_url": repo.url,
        "homepage": None,
        "size": 0,
        "stargazers_count": 0,
        "watchers_count": 0,
        "language": None,
        "has_issues": True,
        "has_projects": True,
        "has_downloads": True,
        "has_wiki": False,
        "has_pages": False,
        "has_discussions": False,
        "forks_count": 0,
        "mirror_url": None,
        "archived": repo.archived,
        "disabled": False,
        "open_issues_count": open_issues,
        "license": None,
        "allow_forking": False,
        "is_template": False,
        "web_commit_signoff_required": False,
        "topics": [],
        "visibility": "private",
        "forks": 0,
        "open_issues": open_issues,
        "watchers": 0,
        "default_branch": "main",
        "custom_properties": {},
    }


def label(what: Label) -> JSON:
    return {
        "id": what.id,
        "node_id": what.node_id,
        "url": f"{what.repository.api_url}/labels/{what.name}",
        "name": what.name,
        "color": what.color,
        "default": False,
        "description": what.description,
    }


def milestone(what: Milestone) -> JSON:
    own = f"{what.repository.api_url}/milestones/{what.number}"
    issues = [one for one in what.repository.issues.values() if one.milestone is what]
    return {
        "url": own,
        "html_url": what.url,
        "labels_url": f"{own}/labels",
        "id": what.id,
        "node_id": what.node_id,
        "number": what.number,
        "title": what.title,
        "description": None,
        "creator": account(what.creator),
        "open_issues": sum(one.state == "open" for one in issues),
        "closed_issues": sum(one.state == "closed" for one in issues),
        "state": "open",
        "created_at": time(what.created_at),
        "updated_at": time(what.updated_at),
        "due_on": None,
        "closed_at": None,
    }


def issue_type(what: IssueType) -> JSON:
    return {
        "id": what.id,
        "node_id": what.node_id,
        "name": what.name,
        "description": None,
        "color": "gray",
        "created_at": time(what.created_at),
        "updated_at": time(what.created_at),
        "is_enabled": True,
    }


def issue_field(what: IssueField) -> JSON:
    return {
        "id": what.id,
        "node_id": what.node_id,
        "name": what.name,
        "description": None,
        "data_type": "number",
    }


def issue_field_value(what: IssueFieldValue) -> JSON:
    return {
        "issue_field_id": what.field.id,
        "issue_field_name": what.field.name,
        "node_id": what.node_id,
        "data_type": "number",
        "value": what.value,
    }


def issue(what: Issue) -> JSON:
    base = what.repository.api_url
    own = f"{base}/issues/{what.number}"
    assignees = [account(who) for who in what.assignees]
    return {
        "url": own,
        "repository_url": base,
        "labels_url": f"{own}/labels{{/name}}",
        "comments_url": f"{own}/comments",
        "events_url": f"{own}/events",
        "timeline_url": f"{own}/timeline",
        "html_url": what.url,
        "id": what.id,
        "node_id": what.node_id,
        "number": what.number,
        "title": what.title,
        "user": account(what.user),
        "labels": [label(one) for one in what.labels],
        "state": what.state,
        "locked": False,
        "assignee": assignees[0] if assignees else None,
        "assignees": assignees,
        "milestone": milestone(what.milestone) if what.milestone else None,
        "type": issue_type(what.issue_type) if what.issue_type else None,
        "issue_field_values": [issue_field_value(one) for one in what.field_values.values()],
        "comments": len(what.comments),
        "created_at": time(what.created_at),
        "updated_at": time(what.updated_at),
        "closed_at": time(what.closed_at) if what.closed_at else None,
        "author_association": "MEMBER",
        "active_lock_reason": None,
        "body": what.body if isinstance(what, PullRequest) else None,
        "reactions": _reactions([], own),
        "performed_via_github_app": None,
        "state_reason": what.state_reason,
        **(
            {"draft": what.draft, "pull_request": _pull_of_issue(what)}
            if isinstance(what, PullRequest)
            else {}
        ),
    }


def pull_request(what: PullRequest) -> JSON:
    """Return a pull request in a delivery of ``pull_request``."""
    return {
        **reviewed_pull_request(what),
        "merged": what.merged_at is not None,
        "mergeable": None,
        "rebaseable": None,
        "mergeable_state": "unknown",
        "merged_by": None,
        "comments": len(what.comments),
        "review_comments": 0,
        "maintainer_can_modify": False,
        "commits": 1,
        "additions": 1,
        "deletions": 0,
        "changed_files": 1,
    }


def reviewed_pull_request(what: PullRequest) -> JSON:
    """Return a pull request in a delivery of ``pull_request_review``, which has fewer members."""
    base = what.repository.api_url
    own, as_issue = f"{base}/pulls/{what.number}", f"{base}/issues/{what.number}"
    shared = issue(what)
    of_issue = ["id", "node_id", "html_url", "number", "state", "locked", "title", "user", "body", "labels"]
    of_issue += ["assignee", "assignees", "milestone", "created_at", "updated_at", "closed_at", "draft"]
    of_issue += ["author_association", "active_lock_reason"]
    links = {
        "self": own,
        "html": what.url,
        "issue": as_issue,
        "comments": f"{as_issue}/comments",
        "review_comments": f"{own}/comments",
        "review_comment": f"{base}/pulls/comments{{/number}}",
        "commits": f"{own}/commits",
        "statuses": f"{base}/statuses/{_SHA}",
    }
    return {
        **{name: shared[name] for name in of_issue},
        "url": own,
        "diff_url": f"{what.url}.diff",
        "patch_url": f"{what.url}.patch",
        "issue_url": as_issue,
        "merged_at": time(what.merged_at) if what.merged_at else None,
        "merge_commit_sha": None,
        "requested_reviewers": [account(one) for one in what.requested_reviewers],
        "requested_teams": [],
        **{
            f"{name}_url": links[name]
            for name in ("commits", "review_comments", "review_comment", "comments", "statuses")
        },
        "head": _branch(what.repository, f"pull-{what.number}"),
        "base": _branch(what.repository, "main"),
        "_links": {name: {"href": href} for name, href in links.items()},
        "auto_merge": None,
    }


def _branch(repo: Repository, name: str) -> JSON:
    settings = {
        "allow_auto_merge": False,
        "allow_merge_commit": True,
        "allow_rebase_merge": True,
        "allow_squash_merge": True,
        "allow_update_branch": False,
        "delete_branch_on_merge": False,
    }
    return {
        "label": f"{repo.owner.login}:{name}",
        "ref": name,
        "sha": _SHA,
        "user": account(repo.owner),
        "repo": {**repository(repo), **settings},
    }


def review(what: Review) -> JSON:
    own = f"{what.pull.repository.api_url}/pulls/{what.pull.number}"
    return {
        "id": what.id,
        "node_id": what.node_id,
        "user": account(what.user),
        "body": what.body,
        "commit_id": _SHA,
        "submitted_at": time(what.created_at),
        "state": what.state,
        "html_url": what.url,
        "pull_request_url": own,
        "author_association": "MEMBER",
        "_links": {"html": {"href": what.url}, "pull_request": {"href": own}},
    }


def _pull_of_issue(what: PullRequest) -> JSON:
    return {
        "url": f"{what.repository.api_url}/pulls/{what.number}",
        "html_url": what.url,
        "diff_url": f"{what.url}.diff",
        "patch_url": f"{what.url}.patch",
        "merged_at": time(what.merged_at) if what.merged_at else None,
    }


def comment(what: Comment) -> JSON:
    base = what.issue.repository.api_url
    own = f"{base}/issues/comments/{what.id}"
    return {
        "url": own,
        "html_url": what.url,
        "issue_url": f"{base}/issues/{what.issue.number}",
        "id": what.id,
        "node_id": what.node_id,
        "user": account(what.user),
        "created_at": time(what.created_at),
        "updated_at": time(what.updated_at),
        "body": what.body,
        "author_association": "MEMBER" if what.app is None else "NONE",
        "reactions": _reactions(what.reactions, own),
        "performed_via_github_app": app(what.app) if what.app else None,
    }


def reaction(what: Reaction) -> JSON:
    return {
        "id": what.id,
        "node_id": what.node_id,
        "user": account(what.user),
        "content": what.content,
        "created_at": time(what.created_at),
    }


def _reactions(given: list[Reaction], base: str) -> JSON:
    counts = {content: sum(one.content == content for one in given) for content in REACTIONS}
    return {"url": f"{base}/reactions", "total_count": len(given), **counts}


def card(what: Card) -> JSON:
    return {
        "id": what.id,
        "node_id": what.node_id,
        "project_node_id": what.project.node_id,
        "content_node_id": what.content.node_id,
        "content_type": "DraftIssue" if isinstance(what.content, Draft) else "Issue",
        "creator": account(what.creator),
        "created_at": time(what.created_at),
        "updated_at": time(what.updated_at),
        "archived_at": time(what.archived_at) if what.archived_at else None,
    }


def option(what: Option | None) -> JSON | None:
    if what is None:
        return None
    return {"id": what.id, "name": what.name, "color": what.color, "description": what.description}


def app(what: App) -> JSON:
    return {
        "id": what.id,
        "slug": what.slug,
        "node_id": what.node_id,
        "client_id": what.client_id,
        "owner": account(what.owner),
        "name": what.name,
        "description": None,
        "external_url": "https://example.com",
        "html_url": what.url,
        "created_at": time(what.created_at),
        "updated_at": time(what.created_at),
        "permissions": what.permissions,
        "events": list(what.events),
    }


def installation(what: Installation) -> JSON:
    kind = "organizations" if what.account.type == "Organization" else "users"
    web, api = what.account.addresses.web, what.account.addresses.api
    return {
        "id": what.id,
        "account": account(what.account),
        "repository_selection": "all",
        "access_tokens_url": f"{api}/app/installations/{what.id}/access_tokens",
        "repositories_url": f"{api}/installation/repositories",
        "html_url": f"{web}/{kind}/{what.account.login}/settings/installations/{what.id}",
        "app_id": what.app.id,
        "app_slug": what.app.slug,
        "target_id": what.account.id,
        "target_type": what.account.type,
        "permissions": what.app.permissions,
        "events": list(what.app.events),
        "created_at": time(what.created_at),
        "updated_at": time(what.created_at),
        "single_file_name": None,
        "suspended_by": None,
        "suspended_at": None,
    }
