"""``make token``, ``tokens``, ``revoke``, ``sign-out``, ``erase``: manage people and tokens."""

import argparse
import contextlib
import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus

from deployed_stack.errors import ToolError
from deployed_stack.tool import run_tool
from local_stack import LocalStack
from local_stack.choice import add_stack_options, chosen_stack
from local_stack.stack import DEMO_LOGIN, DEMO_USER_ID
from timer_core.clients import connections_client
from timer_core.clock import now_ms
from timer_core.observability import make_logger
from timer_core.services.access import revoke_access
from timer_core.services.live import LiveConnections
from timer_core.settings import settings
from timer_core.store.account_deletion import AccountDeletionStore
from timer_core.store.connections import ConnectionStore, token_credential
from timer_core.store.people import PeopleStore, Person
from timer_core.store.sessions import SessionStore
from timer_core.store.table import Table
from timer_core.store.tokens import TokenStore

_DAY_S = 86_400
_MAX_DAYS = 36_500
_ROW = "{:12}  {:10}  {:10}  {}"


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return the exit status."""
    options = _parser().parse_args(arguments)
    stack = chosen_stack(options)
    user = options.user
    # The demo account of the local stack does not need a look-up at GitHub.
    if isinstance(stack, LocalStack) and user.lower() == DEMO_LOGIN.lower():
        user = str(DEMO_USER_ID)
    # The environment contains the settings, and the region, credentials and endpoint of the table's client.
    os.environ.update(stack.environment)
    table = Table(stack.table_name)
    user_id, login = _account(user, getattr(options, "login", None))
    if options.command == "mint":
        return _mint(table, user_id, login, options.name, options.expires_days)
    if options.command == "list":
        return _list(table, user_id)
    if options.command == "revoke":
        return _revoke(table, user_id, options.id)
    if options.command == "sign-out":
        return _sign_out(table, user_id)
    return _erase(table, user_id)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    add_stack_options(parser)
    topics = parser.add_subparsers(required=True)
    token = topics.add_parser("token", help="API tokens")
    commands = token.add_subparsers(dest="command", required=True)
    mint = commands.add_parser("mint", help="register a person and create a token, which is shown once")
    mint.add_argument("--login", help="the account's login, if --user is its id")
    mint.add_argument("--name", default="cli", help="the token's purpose")
    mint.add_argument("--expires-days", type=_days, help="days until it expires; by default never")
    commands.add_parser("list", help="list a person's tokens")
    revoke = commands.add_parser("revoke", help="revoke a token")
    revoke.add_argument("--id", required=True, help="the token's id, as listed")
    person = topics.add_parser("person", help="people")
    actions = person.add_subparsers(dest="command", required=True)
    actions.add_parser("sign-out", help="end all of a person's sessions, and revoke all of their tokens")
    actions.add_parser("erase", help="delete a person's account with all of their tokens and timers")
    for command in (*commands.choices.values(), *actions.choices.values()):
        command.add_argument("--user", required=True, help="a GitHub account: its numeric id, or its login")
    return parser


def _days(text: str) -> float:
    with contextlib.suppress(ValueError):
        # This comparison also refuses NaN and infinity.
        if 0 < (days := float(text)) <= _MAX_DAYS:
            return days
    sys.exit(f"--expires-days (DAYS=) must be more than 0 and at most {_MAX_DAYS}, not {text!r}.")


def _account(user: str, login: str | None) -> tuple[int, str | None]:
    """Return the id and login of an account; if only the login is given, request the id from GitHub.

    Raises
    ------
    ToolError
        The account does not exist, or the request to GitHub failed.
    """
    if user.isdecimal():
        if (user_id := int(user)) < 1:
            raise ToolError(f"--user (USER=) must be an id of 1 or more, or a login, not {user!r}.")
        return user_id, login
    api = settings().github_api_url
    if not api.startswith(("https://", "http://localhost", "http://127.0.0.1")):
        raise ToolError("GITHUB_API_URL must be an https URL.")
    try:
        # https://docs.github.com/en/rest/users/users#get-a-user
        url = f"{api}/users/{urllib.parse.quote(user, safe='')}"
        with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310 - the scheme is checked above
            account = json.load(response)
    except urllib.error.HTTPError as error:
        if error.code == HTTPStatus.NOT_FOUND:
            raise ToolError(f"GitHub has no account {user!r}.") from None
        raise ToolError(
            f"GitHub refused to look up {user!r} (status {error.code}); give the numeric id."
        ) from None
    except OSError as error:
        reason = getattr(error, "reason", error)
        raise ToolError(
            f"GitHub is not reachable to look up {user!r} ({reason}); give the numeric id."
        ) from None
    return account["id"], account["login"]


def _mint(table: Table, user_id: int, login: str | None, name: str, expires_days: float | None) -> int:
    now = now_ms()
    login = PeopleStore(table).register(user_id, login, now_ms=now)
    expires_at = None if expires_days is None else int(now / 1000 + expires_days * _DAY_S)
    token, text = TokenStore(table).mint(Person(user_id, login), name=name, now_ms=now, expires_at=expires_at)
    print(f"Token {token.token_id} of {login} ({user_id}), not shown again:", file=sys.stderr)
    print(text)
    return 0


def _list(table: Table, user_id: int) -> int:
    tokens = TokenStore(table).of(user_id)
    if not tokens:
        print(f"User {user_id} has no tokens.", file=sys.stderr)
        return 0
    print(_ROW.format("ID", "CREATED", "EXPIRES", "NAME"))
    for token in tokens:
        created = datetime.fromtimestamp(token.created_ms / 1000, UTC)
        expires = f"{datetime.fromtimestamp(token.expires_at, UTC):%Y-%m-%d}" if token.expires_at else "never"
        print(_ROW.format(token.token_id, f"{created:%Y-%m-%d}", expires, token.name))
    return 0


def _revoke(table: Table, user_id: int, token_id: str) -> int:
    if TokenStore(table).revoke(user_id, token_id):
        _live(table).end(user_id, lambda one: one.credential == token_credential(token_id))
        print(f"Token {token_id} is revoked; functions that have cached it accept it for another minute.")
        return 0
    print(f"User {user_id} has no token {token_id}.", file=sys.stderr)
    return 1


def _sign_out(table: Table, user_id: int) -> int:
    sessions, tokens = SessionStore(table), TokenStore(table)
    revoked = revoke_access(sessions, tokens, _live(table), user_id, now_ms=now_ms())
    print(f"User {user_id} is signed out, tokens revoked: {revoked}; caches expire within a minute.")
    return 0


def _erase(table: Table, user_id: int) -> int:
    deletion = AccountDeletionStore(table, track_unregistered=settings().track_unregistered)
    pending = deletion.request(user_id, now_ms=now_ms())
    # The function `live` refuses connections from now on, so this finds all of them.
    _live(table).end(user_id)
    deletion.finish(pending, now_ms=now_ms(), has_time=lambda: True)
    print(f"User {user_id} is deleted; the hourly sweep deletes what is written until caches expire.")
    return 0


def _live(table: Table) -> LiveConnections:
    client = partial(connections_client, settings().live_endpoint)
    return LiveConnections(ConnectionStore(table), client, make_logger("people"))


if __name__ == "__main__":
    run_tool(main)
