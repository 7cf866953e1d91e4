"""A history with every event that the fake GitHub sends."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fake_github.fake import FakeGitHub
    from fake_github.webhooks import Delivery


def deliveries_of_everything(github: FakeGitHub) -> list[Delivery]:
    """Perform every action, and return its deliveries to the hooks of a repository, its owner and an App."""
    ann, project = github.new_user("ann"), github.new_project("octo-org")
    repository, other = github.new_repository("octo-org/hello-world"), github.new_repository("octo-org/other")
    github.install_app("octo-org")
    for target in (repository, "octo-org", "app"):
        github.add_hook(target, _accept)
    issue = github.new_issue(repository)
    github.assign(issue, ann)
    github.label(issue, "bug")
    github.comment(issue, ann, "/timer stop")
    github.close(issue)
    github.reopen(issue)
    github.unlabel(issue, "bug")
    github.unassign(issue, ann)
    github.rename_issue(issue, "Something is still wrong")
    github.set_milestone(issue, "v1")
    github.set_milestone(issue, None)
    github.set_type(issue, "Bug")
    github.set_type(issue, None)
    github.set_number(issue, 4.5)
    github.set_number(issue, None)
    github.set_parent(issue, github.new_issue(other, "A greater whole"))
    github.set_parent(issue, None)
    card = github.add_card(project, issue)
    github.move_card(card, "In Progress")
    github.move_card(card, "Done", old_payloads=True)
    github.move_card(card, None)
    github.set_card_number(card, 4)
    github.archive_card(card)
    github.restore_card(card)
    github.delete_card(card)
    github.convert_draft(github.add_draft(project, "Try it"), repository)
    github.delete(github.transfer(issue, other))
    closed = github.new_issue(repository)
    github.create_branch(repository, f"{closed.number}-spelling", by=ann)
    pull = github.open_pull_request(repository, "Spell it", [closed], draft=True, by=ann)
    github.assign(pull, ann)
    github.label(pull, "bug")
    github.unlabel(pull, "bug")
    github.mark_ready(pull, by=ann)
    bob = github.new_user("bob")
    github.request_review(pull, bob, by=ann)
    github.remove_review_request(pull, bob, by=ann)
    github.submit_review(pull, bob, "changes_requested", "See below.")
    github.mark_ready(pull, ready=False, by=ann)
    github.edit_pull_request(pull, [closed], by=ann)
    github.unassign(pull, ann)
    github.close_pull_request(pull)
    github.reopen_pull_request(pull)
    github.comment(pull, ann, "Done")
    github.merge(pull)
    github.rename_repository(repository, "hello")
    github.transfer_repository(repository, "another-org")
    team = github.new_team("octo-org", "Leads", [ann])
    github.remove_from_team(github.new_team("octo-org", "Night shift", [ann], parent=team), ann)
    github.rename_team(team, "Former leads")
    github.remove_member("octo-org", ann)
    github.delete_team(team)
    return list(github.outbox)


def _accept(_headers: Mapping[str, str], _body: bytes) -> int:
    return 202
