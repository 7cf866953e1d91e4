"""Accounts and Apps."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from fake_github.model import Account, App, Installation, OAuthApp
from fake_github.nodes import Nodes
from fake_github.webhooks import Webhooks

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PERMISSIONS = {
    "contents": "read",
    # The key of the organization's permission "Issue Fields" is a guess; GitHub documents only its name.
    "issue_fields": "read",
    "issues": "write",
    "metadata": "read",
    "organization_projects": "read",
    "pull_requests": "read",
}
EVENTS = (
    "create",
    "installation_target",
    "issue_comment",
    "issues",
    "projects_v2_item",
    "pull_request",
    "pull_request_review",
    "repository",
    "sub_issues",
)


def new_private_key() -> str:
    """Return an RSA key in PEM form (PKCS #1, like GitHub's keys)."""
    return (
        rsa.generate_private_key(public_exponent=65537, key_size=2048)
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
        .decode()
    )


@cache
def _shared_private_key() -> str:
    """Return the key that all fakes of a process share, because creating a key is slow."""
    return new_private_key()


class Accounts(Webhooks):
    """The accounts at GitHub.

    Attributes
    ----------
    accounts
        The accounts by their logins in lower case.
    nodes
        All objects by their node ids.
    maintainer
        The default actor of all actions.
    app
        An App that is not installed yet.
    """

    def reset(self) -> None:
        with self.lock:
            super().reset()
            self.accounts: dict[str, Account] = {}
            self.nodes = Nodes(self.numbers)
            self.apps: list[App] = []
            self.oauth_apps: list[OAuthApp] = []
            self.maintainer = self.new_user("maintainer")
            self.app = self.new_app("issue-timer", private_key=_shared_private_key())

    def new_user(
        self,
        login: str,
        *,
        type: str = "User",  # noqa: A002
        id: int | None = None,  # noqa: A002
        name: str = "",
    ) -> Account:
        """Return a new account, by default a person's."""
        with self.acting():
            account = self.nodes.new(
                Account, id=id, login=login, type=type, addresses=self.addresses, name=name
            )
            self.accounts[login.lower()] = account
            return account

    def new_organization(
        self,
        login: str,
        members: Mapping[Account, str] | None = None,
        *,
        id: int | None = None,  # noqa: A002
    ) -> Account:
        """Return a new organization; the maintainer is its admin."""
        with self.acting():
            account = self.new_user(login, type="Organization", id=id)
            account.members.update({self.maintainer: "admin", **(members or {})})
            return account

    def new_app(
        self,
        slug: str,
        *,
        private_key: str,
        owner: Account | None = None,
        permissions: Mapping[str, str] | None = None,
        events: Iterable[str] = EVENTS,
        callback_urls: Iterable[str] = (),
    ) -> App:
        with self.acting():
            number = next(self.numbers)
            app = self.nodes.new(
                App,
                slug=slug,
                name=slug,
                owner=owner or self.maintainer,
                bot=self.new_user(f"{slug}[bot]", type="Bot"),
                client_id=f"Iv23li{number:014}",
                client_secret=f"{number:040x}",
                private_key=private_key,
                created_at=self.now,
                permissions=dict(PERMISSIONS if permissions is None else permissions),
                events=tuple(events),
                callback_urls=tuple(callback_urls),
            )
            self.apps.append(app)
            return app

    def new_oauth_app(self, callback_url: str, name: str = "Issue Timer") -> OAuthApp:
        with self.acting():
            number = next(self.numbers)
            app = OAuthApp(name, f"Ov23li{number:014}", f"{number:040x}", (callback_url,))
            self.oauth_apps.append(app)
            return app

    def install_app(self, login: str, app: App | None = None) -> Installation:
        """Install an App for an owner, with access to all of its repositories."""
        with self.acting():
            app = app or self.app
            installation = self.nodes.new(
                Installation, app=app, account=self._owner(login), created_at=self.now
            )
            app.installations.append(installation)
            return installation

    def _owner(self, login: str) -> Account:
        return self.accounts.get(login.lower()) or self.new_organization(login)
