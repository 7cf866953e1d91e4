"""Answers to comments with commands."""

from urllib.parse import urlencode

from timer_core.clock import iso
from timer_core.github.api.client import GitHub
from timer_core.github.messages import ReplyEvent

_PAGE = 100


def send_reply(github: GitHub, answer: ReplyEvent) -> None:
    """Answer a comment; doing it again changes nothing.

    Raises
    ------
    GitHubError
        If GitHub does not take it.
    """
    owner = answer.repo.partition("/")[0]
    comments = f"/repos/{answer.repo}/issues"
    # GitHub keeps one reaction of a kind from each account.
    reaction = {"content": answer.reaction}
    github.rest("POST", f"{comments}/comments/{answer.comment}/reactions", owner=owner, body=reaction)
    if not answer.text:
        return
    thread = f"{comments}/{answer.number}/comments"
    mark = f"<!-- issue-timer {answer.comment} -->"
    later: str | None = f"{thread}?{urlencode({'since': iso(answer.at_ms), 'per_page': _PAGE})}"
    while later is not None:
        page = github.rest("GET", later, owner=owner)
        if any(mark in str(comment["body"]) for comment in page.data):
            return
        later = page.next_page
    github.rest("POST", thread, owner=owner, body={"body": f"{answer.text}\n\n{mark}"})
