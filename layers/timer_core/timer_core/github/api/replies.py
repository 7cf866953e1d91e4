"""Send replies to comments with commands."""

from urllib.parse import urlencode

from timer_core.clock import iso
from timer_core.github.api.client import GitHub
from timer_core.github.marks import mark_of
from timer_core.github.messages import ReplyEvent

_PAGE_SIZE = 100


def send_reply(github: GitHub, reply: ReplyEvent) -> None:
    """Reply to a comment; a repeated call adds nothing.

    Raises
    ------
    GitHubError
        If GitHub does not respond, or refuses.
    """
    owner = reply.repo.partition("/")[0]
    issues = f"/repos/{reply.repo}/issues"
    # GitHub keeps only one reaction of each kind per account.
    reaction = {"content": reply.reaction}
    github.rest("POST", f"{issues}/comments/{reply.comment}/reactions", owner=owner, body=reaction)
    if not reply.text:
        return
    comments = f"{issues}/{reply.number}/comments"
    mark = mark_of(str(reply.comment))
    path: str | None = f"{comments}?{urlencode({'since': iso(reply.at_ms), 'per_page': _PAGE_SIZE})}"
    while path is not None:
        page = github.rest("GET", path, owner=owner)
        if any(mark in str(comment["body"]) for comment in page.data):
            return
        path = page.next_page
    github.rest("POST", comments, owner=owner, body={"body": f"{reply.text}\n\n{mark}"})
