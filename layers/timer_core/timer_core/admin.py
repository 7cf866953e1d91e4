"""Command line for operators: register people, manage their tokens, sign them out, delete them, migrate.

Usage: ``python -m timer_core.admin token mint --user 583231 --login octocat``. The table is named
by TABLE_NAME, and with TRACK_UNREGISTERED it is remembered for good who was deleted; region, credentials
and endpoint come from the usual AWS environment variables.
"""

import argparse
import contextlib
import json
import sys
import urllib.error
import urllib.parse
import urllib.request
from datetime import UTC, datetime
from http import HTTPStatus

from timer_core.clock import now_ms
from timer_core.settings import settings
from timer_core.store.account_deletion import AccountDeletionStore
from timer_core.store.migration import migrate
from timer_core.store.people import PeopleStore, Person
from timer_core.store.table import Table

_DAY_S = 86_400
_MAX_DAYS = 36_500
_ROW = "{:12}  {:10}  {:10}  {}"


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return the exit status."""
    options = _parser().parse_args(arguments)
    table = Table(settings().table_name)
    if options.command == "migrate":
        return _migrate(table)
    people = PeopleStore(table)
    user_id, login = _account(options.user, getattr(options, "login", None))
    if options.command == "mint":
        return _mint(people, user_id, login, options.name, options.expires_days)
    if options.command == "list":
        return _list(people, user_id)
    if options.command == "revoke":
        return _revoke(people, user_id, options.id)
    if options.command == "sign-out":
        return _sign_out(people, user_id)
    return _erase(AccountDeletionStore(table, track_unregistered=settings().track_unregistered), user_id)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m timer_core.admin", description="Manage Issue Timer.")
    topics = parser.add_subparsers(required=True)
    migration = topics.add_parser("migrate", help="migrate open timers to the current schema version")
    migration.set_defaults(command="migrate")
    token = topics.add_parser("token", help="API tokens")
    commands = token.add_subparsers(dest="command", required=True)
    mint = commands.add_parser("mint", help="register a person and make a token; it is shown once")
    mint.add_argument("--login", help="the account's login, if --user is its id")
    mint.add_argument("--name", default="cli", help="what the token is for")
    mint.add_argument("--expires-days", type=_days, help="for how long it works; without end if not given")
    commands.add_parser("list", help="list a person's tokens")
    revoke = commands.add_parser("revoke", help="revoke a token")
    revoke.add_argument("--id", required=True, help="the token's id, as listed")
    person = topics.add_parser("person", help="people")
    actions = person.add_subparsers(dest="command", required=True)
    actions.add_parser("sign-out", help="end all of a person's sessions, and revoke all of their tokens")
    actions.add_parser("erase", help="delete a person with all of their tokens and timers")
    for command in (*commands.choices.values(), *actions.choices.values()):
        command.add_argument("--user", required=True, help="a GitHub account: its numeric id, or its login")
    return parser


def _days(text: str) -> float:
    with contextlib.suppress(ValueError):
        # Neither is nan in this range, nor infinity.
        if 0 < (days := float(text)) <= _MAX_DAYS:
            return days
    sys.exit(f"--expires-days (DAYS=) is more than 0 and at most {_MAX_DAYS}, not {text!r}.")


def _account(user: str, login: str | None) -> tuple[int, str | None]:
    """Return the id and login of an account; a login is looked up at GitHub."""
    if user.isdecimal():
        if (user_id := int(user)) < 1:
            sys.exit(f"--user (USER=) is an id of 1 or more, or a login, not {user!r}.")
        return user_id, login
    api = settings().github_api_url
    if not api.startswith(("https://", "http://localhost", "http://127.0.0.1")):
        sys.exit("GITHUB_API_URL must be an https address.")
    try:
        # https://docs.github.com/en/rest/users/users#get-a-user
        with urllib.request.urlopen(f"{api}/users/{urllib.parse.quote(user, safe='')}", timeout=10) as answer:  # noqa: S310
            account = json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code == HTTPStatus.NOT_FOUND:
            sys.exit(f"GitHub does not know {user!r}.")
        sys.exit(f"GitHub does not tell the id of {user!r} (status {error.code}); give the numeric id.")
    except OSError as error:
        reason = getattr(error, "reason", error)
        sys.exit(f"GitHub cannot be asked for {user!r} ({reason}); give the account's numeric id.")
    return account["id"], account["login"]


def _mint(people: PeopleStore, user_id: int, login: str | None, name: str, expires_days: float | None) -> int:
    now = now_ms()
    login = people.register(user_id, login, now_ms=now)
    expires_at = None if expires_days is None else int(now / 1000 + expires_days * _DAY_S)
    token, text = people.mint_token(Person(user_id, login), name=name, now_ms=now, expires_at=expires_at)
    print(f"Token {token.token_id} of {login} ({user_id}), shown only now:", file=sys.stderr)
    print(text)
    return 0


def _list(people: PeopleStore, user_id: int) -> int:
    tokens = people.tokens(user_id)
    if not tokens:
        print(f"User {user_id} has no tokens.", file=sys.stderr)
        return 0
    print(_ROW.format("ID", "CREATED", "EXPIRES", "NAME"))
    for token in tokens:
        created = datetime.fromtimestamp(token.created_ms / 1000, UTC)
        ends = f"{datetime.fromtimestamp(token.expires_at, UTC):%Y-%m-%d}" if token.expires_at else "never"
        print(_ROW.format(token.token_id, f"{created:%Y-%m-%d}", ends, token.name))
    return 0


def _revoke(people: PeopleStore, user_id: int, token_id: str) -> int:
    if people.revoke_token(user_id, token_id):
        print(f"Token {token_id} is revoked; a warm function may take it for another minute.")
        return 0
    print(f"User {user_id} has no token {token_id}.", file=sys.stderr)
    return 1


def _sign_out(people: PeopleStore, user_id: int) -> int:
    revoked = people.shut_out(user_id, now_ms=now_ms())
    print(
        f"User {user_id} is signed out, tokens revoked: {revoked}; a warm function may take another minute."
    )
    return 0


def _erase(leaving: AccountDeletionStore, user_id: int) -> int:
    leaving.delete_all(user_id, now_ms=now_ms(), has_time=lambda: True)
    print(f"User {user_id} is deleted; the hourly sweep looks once more for what was written meanwhile.")
    return 0


def _migrate(table: Table) -> int:
    migrated = migrate(table)
    print(f"Open timers: {migrated.seen}, of which written anew: {migrated.written}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
