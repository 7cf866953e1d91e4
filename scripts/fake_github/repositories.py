"""Repositories and their issues: people's actions, and the events that hooks receive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fake_github import payloads
from fake_github.model import (
    Comment,
    Event,
    Issue,
    IssueField,
    IssueFieldValue,
    IssueType,
    Label,
    Milestone,
    PullRequest,
    Reaction,
    Repository,
    Review,
)
from fake_github.teams import Teams
from fake_github.webhooks import Hook

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fake_github.model import Account, App
    from fake_github.webhooks import Receiver

_FIRST_HOOK = 500_000_000


class Repositories(Teams):
    """Actions on repositories and issues, at the time of GitHub's clock.

    An action that changes nothing, such as assigning an assignee again, causes no event.

    Attributes
    ----------
    repositories
        The repositories by their ids.
    """

    def reset(self) -> None:
        with self.lock:
            super().reset()
            self.repositories: dict[int, Repository] = {}
            self._names: dict[str, Repository] = {}
            self._former_names: dict[str, Repository] = {}

    def add_hook(
        self,
        target: str | Repository | Account | App,
        receiver: Receiver,
        secret: str = "",
        *,
        events: Iterable[str] = ("*",),
        auto: bool = False,
    ) -> Hook:
        """Add a hook, and ping it.

        Parameters
        ----------
        target
            A repository (or its full name), an organization (or its login), or an App (``app`` for
            `Accounts.app`).
        """
        with self.acting():
            if isinstance(target, str):
                target = self.app if target == "app" else self._target(target)
            hook_id = _FIRST_HOOK + next(self.numbers)
            hook = Hook(hook_id, target, receiver, secret, frozenset(events), auto)
            self.hooks[hook.id] = hook
            self._ping(hook, self.maintainer)
            return hook

    def new_repository(
        self,
        full_name: str,
        *,
        id: int | None = None,  # noqa: A002
        description: str | None = None,
    ) -> Repository:
        """Return a new repository; create an organization if the owner does not exist."""
        with self.acting():
            login, _, name = full_name.partition("/")
            owner = self._owner(login)
            repository = self.nodes.new(
                Repository,
                id=id,
                name=name,
                owner=owner,
                created_at=self.now,
                updated_at=self.now,
                description=description,
            )
            self._names[full_name.lower()] = repository
            self.repositories[repository.id] = repository
            return repository

    def repository(self, full_name: str, *, follow: bool = False) -> Repository | None:
        """Return the repository of this name; if ``follow`` is True, also accept a former name."""
        with self.lock:
            found = self._names.get(full_name.lower())
            return found or (self._former_names.get(full_name.lower()) if follow else None)

    def rename_repository(self, repository: Repository, name: str, *, by: Account | None = None) -> None:
        with self.acting():
            old = repository.name
            self._move_repository(repository, name, repository.owner)
            changes = {"repository": {"name": {"from": old}}}
            self._announce_repository("renamed", repository, by, changes=changes)

    def transfer_repository(
        self, repository: Repository, new_owner: str, *, by: Account | None = None
    ) -> None:
        """Transfer a repository to another owner; an unknown owner becomes a new organization.

        Only the hooks of the new owner and of the repository receive the event.
        """
        with self.acting():
            old = repository.owner
            self._move_repository(repository, repository.name, self._owner(new_owner))
            if old.type == "Organization":
                former = {"organization": payloads.organization(old)}
            else:
                former = {"user": payloads.account(old)}
            self._announce_repository("transferred", repository, by, changes={"owner": {"from": former}})

    def archive_repository(
        self, repository: Repository, *, archived: bool = True, by: Account | None = None
    ) -> None:
        """Archive a repository, or restore it from the archive."""
        with self.acting():
            repository.archived, repository.updated_at = archived, self.now
            self._announce_repository("archived" if archived else "unarchived", repository, by)

    def delete_repository(self, repository: Repository, *, by: Account | None = None) -> None:
        with self.acting():
            self._announce_repository("deleted", repository, by)
            del self._names[repository.full_name.lower()]
            del self.repositories[repository.id]
            for issue in repository.issues.values():
                del self.nodes[issue.node_id]
                for card in issue.cards:
                    del self.nodes[card.node_id]

    def rename_owner(self, owner: Account, login: str, *, by: Account | None = None) -> None:
        """Rename a user or an organization. GitHub announces no event for each of the repositories.

        Only the hooks of an organization receive an event.
        """
        with self.acting():
            old = owner.login
            own = [one for one in self.repositories.values() if one.owner is owner]
            for repository in own:
                del self._names[repository.full_name.lower()]
                self._former_names[repository.full_name.lower()] = repository
            del self.accounts[old.lower()]
            owner.login = login
            self.accounts[login.lower()] = owner
            for repository in own:
                self._names[repository.full_name.lower()] = repository
            members = {"changes": {"login": {"from": old}}}
            if owner.type == "Organization":
                self._announce("organization", "renamed", members, sender=by or self.maintainer, owner=owner)

    def new_issue(
        self,
        repository: Repository | str,
        title: str = "Something is wrong",
        *,
        by: Account | None = None,
        id: int | None = None,  # noqa: A002
    ) -> Issue:
        with self.acting():
            if isinstance(repository, str):
                repository = self.repository(repository) or self.new_repository(repository)
            issue = self._add_issue(repository, title, by or self.maintainer, id)
            self._announce_issue("opened", issue, by)
            return issue

    def open_pull_request(
        self,
        repository: Repository,
        title: str,
        closes: Iterable[Issue],
        *,
        draft: bool = False,
        by: Account | None = None,
    ) -> PullRequest:
        """Open a pull request whose body has closing keywords."""
        with self.acting():
            pull = self._add_pull_request(repository, title, by or self.maintainer, closes, draft=draft)
            self._announce_issue("opened", pull, by)
            return pull

    def edit_pull_request(
        self, pull: PullRequest, closes: Iterable[Issue], *, by: Account | None = None
    ) -> None:
        """Change the closing keywords in the body of a pull request."""
        with self.acting():
            before, pull.closes, pull.updated_at = pull.body, list(closes), self.now
            self._announce_issue("edited", pull, by, changes={"body": {"from": before or ""}})

    def request_review(self, pull: PullRequest, user: Account, *, by: Account | None = None) -> None:
        """Request the review of a person, who cannot be the author."""
        with self.acting():
            if user not in pull.requested_reviewers and user is not pull.user:
                pull.requested_reviewers.append(user)
                self._review_changed("review_requested", "ReviewRequestedEvent", pull, user, by)

    def remove_review_request(self, pull: PullRequest, user: Account, *, by: Account | None = None) -> None:
        with self.acting():
            if user in pull.requested_reviewers:
                pull.requested_reviewers.remove(user)
                self._review_changed("review_request_removed", "ReviewRequestRemovedEvent", pull, user, by)

    def submit_review(
        self, pull: PullRequest, user: Account, state: str = "approved", body: str | None = None
    ) -> Review:
        """Submit a review, which removes the request for the review."""
        with self.acting():
            review = self.nodes.new(Review, pull=pull, user=user, state=state, body=body, created_at=self.now)
            if user in pull.requested_reviewers:
                pull.requested_reviewers.remove(user)
            pull.timeline.append(review)
            pull.updated_at = self.now
            self._announce_issue(
                "submitted", pull, user, event="pull_request_review", review=payloads.review(review)
            )
            return review

    def mark_ready(self, pull: PullRequest, *, ready: bool = True, by: Account | None = None) -> None:
        """Mark a draft as ready for review, or convert a pull request to a draft."""
        with self.acting():
            if pull.draft is ready and pull.state == "open":
                pull.draft = not ready
                self._happened("ReadyForReviewEvent" if ready else "ConvertToDraftEvent", pull, by)
                self._announce_issue("ready_for_review" if ready else "converted_to_draft", pull, by)

    def create_branch(self, repository: Repository, name: str, *, by: Account | None = None) -> None:
        """Create a branch from the default branch. GitHub's event has no action."""
        with self.acting():
            members = {
                "ref": name,
                "ref_type": "branch",
                "full_ref": f"refs/heads/{name}",
                "master_branch": "main",
                "description": repository.description,
                "pusher_type": "user",
            }
            self._announce(
                "create",
                None,
                members,
                sender=by or self.maintainer,
                owner=repository.owner,
                repository=repository,
            )

    def merge(self, pull: PullRequest, *, by: Account | None = None) -> None:
        """Merge a pull request, and close the issues that it names."""
        with self.acting():
            if pull.state == "open":
                pull.merged_at = self.now
                self._happened("MergedEvent", pull, by)
                self._set_pull_state(pull, "closed", "ClosedEvent", by)
                for issue in pull.closes:
                    self.close(issue, by=by)

    def close_pull_request(self, pull: PullRequest, *, by: Account | None = None) -> None:
        """Close a pull request without merging it."""
        with self.acting():
            if pull.state == "open":
                self._set_pull_state(pull, "closed", "ClosedEvent", by)

    def reopen_pull_request(self, pull: PullRequest, *, by: Account | None = None) -> None:
        """Reopen a pull request that was closed without merging it."""
        with self.acting():
            if pull.state == "closed" and pull.merged_at is None:
                self._set_pull_state(pull, "open", "ReopenedEvent", by)

    def assign(self, issue: Issue, user: Account, *, by: Account | None = None) -> None:
        with self.acting():
            if user not in issue.assignees:
                issue.assignees.append(user)
                self._happened("AssignedEvent", issue, by, assignee=user)
                self._announce_issue("assigned", issue, by, assignee=payloads.account(user))

    def unassign(self, issue: Issue, user: Account, *, by: Account | None = None) -> None:
        with self.acting():
            if user in issue.assignees:
                issue.assignees.remove(user)
                self._happened("UnassignedEvent", issue, by, assignee=user)
                self._announce_issue("unassigned", issue, by, assignee=payloads.account(user))

    def close(self, issue: Issue, reason: str = "completed", *, by: Account | None = None) -> None:
        """Close an issue as ``completed``, ``not_planned`` or ``duplicate``."""
        with self.acting():
            if issue.state == "open":
                issue.state, issue.state_reason, issue.closed_at = "closed", reason, self.now
                self._happened("ClosedEvent", issue, by, state_reason=reason)
                self._announce_issue("closed", issue, by)

    def reopen(self, issue: Issue, *, by: Account | None = None) -> None:
        with self.acting():
            if issue.state == "closed":
                issue.state, issue.state_reason, issue.closed_at = "open", "reopened", None
                self._happened("ReopenedEvent", issue, by, state_reason="reopened")
                self._announce_issue("reopened", issue, by)

    def label(self, issue: Issue, name: str, *, by: Account | None = None) -> None:
        """Add a label; create it if the repository has no label of this name (case-insensitive)."""
        with self.acting():
            label = issue.repository.labels.get(name.lower()) or self.new_label(issue.repository, name)
            if label not in issue.labels:
                issue.labels.append(label)
                self._happened("LabeledEvent", issue, by, label=label)
                self._announce_issue("labeled", issue, by, label=payloads.label(label))

    def new_label(
        self,
        repository: Repository,
        name: str,
        *,
        color: str = "ededed",
        description: str | None = None,
    ) -> Label:
        """Return a new label of a repository."""
        with self.acting():
            label = repository.labels[name.lower()] = self.nodes.new(
                Label, name=name, repository=repository, color=color, description=description
            )
            return label

    def unlabel(self, issue: Issue, name: str, *, by: Account | None = None) -> None:
        with self.acting():
            label = issue.repository.labels.get(name.lower())
            if label in issue.labels:
                issue.labels.remove(label)
                self._happened("UnlabeledEvent", issue, by, label=label)
                self._announce_issue("unlabeled", issue, by, label=payloads.label(label))

    def rename_issue(self, issue: Issue, title: str, *, by: Account | None = None) -> None:
        """Give an issue another title."""
        with self.acting():
            if issue.title != title:
                changes = {"title": {"from": issue.title}}
                issue.title, issue.updated_at = title, self.now
                self._announce_issue("edited", issue, by, changes=changes)

    def set_milestone(self, issue: Issue, title: str | None, *, by: Account | None = None) -> None:
        """Set the milestone of an issue, which is created if the repository has none of this title."""
        with self.acting():
            before = issue.milestone
            issue.milestone = None if title is None else self._milestone(issue.repository, title)
            if issue.milestone is before:
                return
            issue.updated_at = self.now
            for action, milestone in (("demilestoned", before), ("milestoned", issue.milestone)):
                if milestone is not None:
                    self._announce_issue(action, issue, by, milestone=payloads.milestone(milestone))

    def set_type(self, issue: Issue, name: str | None, *, by: Account | None = None) -> None:
        """Set the type of an issue, which is created if the organization has none of this name."""
        with self.acting():
            before, types = issue.issue_type, issue.repository.owner.issue_types
            if name is not None and name not in types:
                types[name] = self.nodes.new(IssueType, name=name, created_at=self.now)
            issue.issue_type = None if name is None else types[name]
            if issue.issue_type is before:
                return
            issue.updated_at = self.now
            for action, one in (("untyped", before), ("typed", issue.issue_type)):
                if one is not None:
                    self._announce_issue(action, issue, by, type=payloads.issue_type(one))

    def set_number(
        self, issue: Issue, value: float | None, *, field: str = "Estimate", by: Account | None = None
    ) -> None:
        """Set a number field of an issue; None clears it."""
        with self.acting():
            known = self.new_issue_field(issue.repository.owner, field)
            before = issue.field_values.pop(field, None)
            issue.updated_at = self.now
            changed: dict[str, Any] = {
                "issue_field": {"id": known.id, "name": known.name, "field_type": "number"}
            }
            if value is not None:
                issue.field_values[field] = self.nodes.new(IssueFieldValue, field=known, value=value)
                self._announce_issue("field_added", issue, by, **changed)
            elif before is not None:
                self._announce_issue("field_removed", issue, by, **changed)

    def new_issue_field(self, organization: Account, name: str) -> IssueField:
        """Return the number field of an organization's issues; create it if there is none of this name."""
        with self.acting():
            fields = organization.issue_fields
            if name not in fields:
                fields[name] = self.nodes.new(IssueField, name=name)
            return fields[name]

    def set_parent(self, issue: Issue, parent: Issue | None, *, by: Account | None = None) -> None:
        """Make an issue a sub-issue of another one; None makes it an issue of its own.

        The two issues keep the time of their last change: GitHub does not document that it changes.

        Raises
        ------
        ValueError
            If the issue would be its own ancestor.
        """
        with self.acting():
            ancestor = parent
            while ancestor is not None:
                if ancestor is issue:
                    raise ValueError("An issue cannot be its own ancestor.")
                ancestor = ancestor.parent
            before, issue.parent = issue.parent, parent
            if before is not None and before is not parent:
                self._announce_parent("removed", issue, before, by)
            if parent is not None and before is not parent:
                self._announce_parent("added", issue, parent, by)

    def comment(self, issue: Issue, user: Account, body: str, *, app: App | None = None) -> Comment:
        with self.acting():
            comment = self.nodes.new(
                Comment,
                issue=issue,
                user=user,
                body=body,
                created_at=self.now,
                updated_at=self.now,
                app=app,
            )
            issue.timeline.append(comment)
            issue.updated_at = self.now
            self._announce_issue(
                "created", issue, user, event="issue_comment", comment=payloads.comment(comment)
            )
            return comment

    def edit_comment(self, comment: Comment, body: str, *, by: Account | None = None) -> None:
        with self.acting():
            before, comment.body, comment.updated_at = comment.body, body, self.now
            self._announce_issue(
                "edited",
                comment.issue,
                by,
                event="issue_comment",
                comment=payloads.comment(comment),
                changes={"body": {"from": before}},
            )

    def delete_comment(self, comment: Comment, *, by: Account | None = None) -> None:
        with self.acting():
            comment.issue.timeline.remove(comment)
            self._announce_issue(
                "deleted", comment.issue, by, event="issue_comment", comment=payloads.comment(comment)
            )

    def react(self, comment: Comment, user: Account, content: str) -> tuple[Reaction, bool]:
        """React to a comment; return the user's reaction with this content, and whether it is new."""
        with self.acting():
            for reaction in comment.reactions:
                if (reaction.user, reaction.content) == (user, content):
                    return reaction, False
            reaction = self.nodes.new(Reaction, user=user, content=content, created_at=self.now)
            comment.reactions.append(reaction)
            return reaction, True

    def delete(self, issue: Issue, *, by: Account | None = None) -> None:
        """Delete an issue and its cards; the event has the time of the issue's last change."""
        with self.acting():
            self._remove_issue(issue)
            issue.repository.deleted.add(issue.number)
            for card in issue.cards:
                del self.nodes[card.node_id]
            self._announce_issue("deleted", issue, by)

    def transfer(self, issue: Issue, repository: Repository, *, by: Account | None = None) -> Issue:
        """Transfer an issue to another repository of the owner; return the new issue.

        The issue keeps its comments, its assignees, and the labels that the other repository has too
        ("Transferring an issue to another repository"). The event of the old repository has the time of the
        issue's last change.

        Raises
        ------
        ValueError
            If the repository has another owner.
        """
        with self.acting():
            old = issue.repository
            if repository is old or repository.owner is not old.owner:
                raise ValueError("An issue can only be transferred to another repository of its owner.")
            new = self._add_issue(repository, issue.title, issue.user)
            new.state, new.state_reason, new.closed_at = issue.state, issue.state_reason, issue.closed_at
            new.created_at = issue.created_at
            new.assignees = list(issue.assignees)
            new.labels = [
                repository.labels[label.name.lower()]
                for label in issue.labels
                if label.name.lower() in repository.labels
            ]
            new.issue_type, new.parent, new.field_values = issue.issue_type, issue.parent, issue.field_values
            new.timeline, new.cards = list(issue.timeline), issue.cards
            for comment in new.comments:
                comment.issue = new
            for card in new.cards:
                card.content = new
            self._happened("TransferredEvent", new, by, from_repository=old)
            before = payloads.issue(issue)
            self._remove_issue(issue)
            old.transferred[issue.number] = new
            self._announce_issue(
                "transferred",
                issue,
                by,
                changes={
                    "new_issue": payloads.issue(new),
                    "new_repository": payloads.repository(repository),
                },
            )
            self._announce_issue(
                "opened",
                new,
                by,
                changes={"old_issue": before, "old_repository": payloads.repository(old)},
            )
            return new

    def _milestone(self, repository: Repository, title: str) -> Milestone:
        if title not in repository.milestones:
            repository.milestones[title] = self.nodes.new(
                Milestone,
                number=len(repository.milestones) + 1,
                title=title,
                repository=repository,
                creator=self.maintainer,
                created_at=self.now,
                updated_at=self.now,
            )
        return repository.milestones[title]

    def _announce_parent(self, action: str, issue: Issue, parent: Issue, by: Account | None) -> None:
        """Announce a parent to the hooks of the issue and then to those of the parent."""
        common = {
            "parent_issue_id": parent.id,
            "parent_issue": payloads.issue(parent),
            "sub_issue_id": issue.id,
            "sub_issue": payloads.issue(issue),
        }
        for name, one, other, role in (
            (f"parent_issue_{action}", issue, parent, "parent_issue_repo"),
            (f"sub_issue_{action}", parent, issue, "sub_issue_repo"),
        ):
            self._announce(
                "sub_issues",
                name,
                {**common, role: payloads.repository(other.repository)},
                sender=by or self.maintainer,
                owner=one.repository.owner,
                repository=one.repository,
            )

    def _target(self, name: str) -> Repository | Account:
        if "/" in name:
            return self.repository(name) or self.new_repository(name)
        return self._owner(name)

    def _move_repository(self, repository: Repository, name: str, owner: Account) -> None:
        del self._names[repository.full_name.lower()]
        self._former_names[repository.full_name.lower()] = repository
        repository.name, repository.owner, repository.updated_at = name, owner, self.now
        self._names[repository.full_name.lower()] = repository

    def _add_issue(
        self,
        repository: Repository,
        title: str,
        user: Account,
        id: int | None = None,  # noqa: A002
    ) -> Issue:
        issue = self.nodes.new(Issue, id=id, **self._numbered(repository, title, user))
        repository.issues[issue.number] = issue
        return issue

    def _add_pull_request(
        self,
        repository: Repository,
        title: str,
        user: Account,
        closes: Iterable[Issue],
        *,
        draft: bool = False,
    ) -> PullRequest:
        pull = self.nodes.new(
            PullRequest, closes=list(closes), draft=draft, **self._numbered(repository, title, user)
        )
        repository.pulls[pull.number] = pull
        return pull

    def _numbered(self, repository: Repository, title: str, user: Account) -> dict[str, Any]:
        """Return the attributes of the repository's next issue or pull request."""
        repository.last_number += 1
        return {
            "repository": repository,
            "number": repository.last_number,
            "title": title,
            "user": user,
            "created_at": self.now,
            "updated_at": self.now,
        }

    def _set_pull_state(self, pull: PullRequest, state: str, typename: str, by: Account | None) -> None:
        pull.state, pull.closed_at = state, self.now if state == "closed" else None
        self._happened(typename, pull, by)
        self._announce_issue("closed" if state == "closed" else "reopened", pull, by)

    def _review_changed(
        self, action: str, typename: str, pull: PullRequest, user: Account, by: Account | None
    ) -> None:
        self._happened(typename, pull, by, requested_reviewer=user)
        self._announce_issue(action, pull, by, requested_reviewer=payloads.account(user))

    def _remove_issue(self, issue: Issue) -> None:
        del issue.repository.issues[issue.number]
        del self.nodes[issue.node_id]

    def _happened(self, typename: str, issue: Issue, by: Account | None, **attributes: Any) -> None:
        issue.updated_at = self.now
        issue.timeline.append(
            self.nodes.new(
                Event, typename=typename, created_at=self.now, actor=by or self.maintainer, **attributes
            )
        )

    def _announce_issue(
        self, action: str, issue: Issue, by: Account | None, *, event: str = "issues", **members: Any
    ) -> None:
        """Announce an event of an issue, or of a pull request. A comment on one is a comment on an issue."""
        if isinstance(issue, PullRequest) and event == "pull_request_review":
            members["pull_request"] = payloads.reviewed_pull_request(issue)
        elif isinstance(issue, PullRequest) and event == "issues":
            event = "pull_request"
            members |= {"number": issue.number, "pull_request": payloads.pull_request(issue)}
        else:
            members["issue"] = payloads.issue(issue)
        self._announce(
            event,
            action,
            members,
            sender=by or self.maintainer,
            owner=issue.repository.owner,
            repository=issue.repository,
        )

    def _announce_repository(
        self, action: str, repository: Repository, by: Account | None, **members: Any
    ) -> None:
        self._announce(
            "repository",
            action,
            members,
            sender=by or self.maintainer,
            owner=repository.owner,
            repository=repository,
        )
