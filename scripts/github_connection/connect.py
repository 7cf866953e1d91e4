"""Connect a stack with GitHub, and rotate the webhook's secret."""

import re
import secrets

from deployed_stack import DeployedStack
from deployed_stack.errors import ToolError
from github_connection.api import app_name, check_oauth_client, registered_app, token_owner
from github_connection.registration import (
    EVENTS,
    MEMBERS_PERMISSION,
    PERMISSIONS,
    TEAM_EVENTS,
    WRITE_BACK_PERMISSION,
    AppRegistration,
    manifest,
)
from github_connection.storage import (
    credential_name,
    oauth_credential_name,
    remove_credential,
    require_no_rotation,
    store_credential,
)
from timer_core.github.api.credentials import App

# The functions cache credentials for five minutes.
_SOON = "The functions use it within five minutes."
_WORD = re.compile(r"[!-~]+")


def registration(
    stack: DeployedStack, *, github_url: str, api_url: str, organization: str | None, public_url: str
) -> AppRegistration:
    """Return a registration that stores the new App's credentials and webhook secret in the stack.

    Parameters
    ----------
    github_url, api_url
        The addresses of GitHub's pages and of its API.
    organization
        The owner of the App; None for the person who is signed in at GitHub.
    public_url
        The address at which GitHub reaches the stack.

    Raises
    ------
    ToolError
        If the previous rotation of the webhook's secret is not finished. The registration's ``run`` raises
        it if GitHub does not return the App.
    """

    def complete(code: str) -> str:
        app = registered_app(api_url, code)
        # Change the secret last. A repeated registration may store credentials again, but it must not change
        # the secret again while GitHub still signs with the first secret.
        store_credential(stack, api_name, {"app_id": app.app_id, "private_key": app.private_key})
        oauth = {"client_id": app.client_id, "client_secret": app.client_secret}
        store_credential(stack, oauth_name, oauth)
        if app.webhook_secret:
            stack.webhook_pair.change(app.webhook_secret)
        else:
            print(
                "GitHub created no secret for the webhook. In the App's settings, enter the one that "
                f"`{stack.make_command('secret')}` prints."
            )
        installation_url = f"{app.url}/installations/new"
        print(f"{app.url} is registered, and its key and client secret are stored. {_SOON}")
        print("People can then sign in with it.")
        print(f"Install it: {installation_url}")
        return installation_url

    # Check this before the registration; a later error would leave an unused App at GitHub.
    api_name, oauth_name = credential_name(stack), oauth_credential_name(stack)
    require_no_rotation(stack)
    has_lead_teams = bool(stack.parameters.get("LeadTeams"))
    reads_members = has_lead_teams or bool(stack.parameters.get("AllowedOrgs"))
    return AppRegistration(
        github_url=github_url,
        organization=organization,
        manifest=manifest(
            organization=organization,
            public_url=public_url,
            permissions=PERMISSIONS
            | (MEMBERS_PERMISSION if reads_members else {})
            | (WRITE_BACK_PERMISSION if stack.parameters.get("TimeField") else {}),
            events=EVENTS + (TEAM_EVENTS if has_lead_teams else []),
        ),
        complete=complete,
    )


def use_key(stack: DeployedStack, *, api_url: str, app_id: str, private_key: str) -> None:
    """Store a key of an existing App, such as a new key to rotate the previous one.

    Raises
    ------
    ToolError
        If GitHub refuses the key.
    """
    if "PRIVATE KEY-----" not in private_key:
        raise ToolError("This is not a private key in PEM form, as downloaded from GitHub.")
    name = app_name(api_url, App(app_id, private_key))
    store_credential(stack, credential_name(stack), {"app_id": app_id, "private_key": private_key})
    print(f"The key of the App {name} is stored. {_SOON}")


def use_token(stack: DeployedStack, *, api_url: str, token: str) -> None:
    """Store a personal access token.

    Raises
    ------
    ToolError
        If GitHub refuses the token.
    """
    # The token is sent in a header, where spaces and line breaks would be errors.
    if not _WORD.fullmatch(token):
        raise ToolError("This is not a token: a token is a single word such as github_pat_...")
    owner = token_owner(api_url, token)
    store_credential(stack, credential_name(stack), {"token": token})
    until = f"It is valid until {owner.expires}." if owner.expires else "It does not expire."
    print(f"The token of {owner.login} is stored. {until} {_SOON}")


def use_oauth_client(stack: DeployedStack, *, github_url: str, client_id: str, client_secret: str) -> None:
    """Store an OAuth App's or GitHub App's client id and secret for signing in.

    Raises
    ------
    ToolError
        If GitHub refuses them.
    """
    if not (_WORD.fullmatch(client_id) and _WORD.fullmatch(client_secret)):
        raise ToolError("A client id and a client secret are single words.")
    name = oauth_credential_name(stack)
    check_oauth_client(github_url, client_id, client_secret)
    store_credential(stack, name, {"client_id": client_id, "client_secret": client_secret})
    print(f"The client secret is stored. {_SOON}")


def remove_oauth_client(stack: DeployedStack) -> None:
    """Remove the client secret. Nobody can sign in afterwards, but existing sessions stay valid."""
    if remove_credential(stack, oauth_credential_name(stack)):
        print("The client secret is removed; a function may use it for five more minutes.")
        print("GitHub still accepts it: delete it in the App's settings.")
    else:
        print("There is no client secret.")


def remove(stack: DeployedStack) -> None:
    """Remove the credential for GitHub's API; signing in still works."""
    if remove_credential(stack, credential_name(stack)):
        print("The credential is removed; a function may use it for five more minutes.")
        print("GitHub still accepts it: delete the token, the App or its key at GitHub.")
    else:
        print("There is no credential.")


def rotate(stack: DeployedStack) -> None:
    """Change the webhook's secret. Deliveries signed with the previous secret are still accepted.

    Raises
    ------
    ToolError
        If the previous rotation is not finished.
    """
    require_no_rotation(stack)
    stack.webhook_pair.change(secrets.token_hex(32))
    # See docs/decisions/0004-secrets.md.
    print("The secret is changed, and the previous one is still accepted.")
    secret = stack.make_command("secret")
    print(f"Wait ten seconds; then enter the new one at GitHub. `{secret}` prints it.")


def finish_rotation(stack: DeployedStack) -> None:
    """Accept the current secret only."""
    stack.webhook_pair.forget_previous()
    print("Within five minutes, only the current secret is accepted.")
