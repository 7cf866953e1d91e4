"""The ways to connect a stack with GitHub's API."""

import re
import secrets

from deployed_stack import DeployedStack
from deployed_stack.errors import ToolError
from github_connection.api import app_name, check_oauth_client, registered_app, token_owner
from github_connection.registration import (
    MEMBERS_PERMISSION,
    PERMISSIONS,
    AppRegistration,
    manifest,
)
from github_connection.storage import (
    credential_name,
    oauth_credential_name,
    remove_credential,
    require_no_rotation,
    store_credential,
    webhook_secret,
)
from timer_core.github.api.credentials import App

# How long the functions keep what they have read.
_SOON = "The functions use it within five minutes."
_WORD = re.compile(r"[!-~]+")


def registration(
    stack: DeployedStack, *, github_url: str, api_url: str, organization: str | None, public_url: str
) -> AppRegistration:
    """Return the registration of a GitHub App that puts its credentials and secrets into the stack.

    Parameters
    ----------
    github_url, api_url
        Where people and programs find GitHub.
    organization
        Whose App it will be; None for the person who is signed in at GitHub.
    public_url
        Where GitHub finds the stack.

    Raises
    ------
    ToolError
        The stack cannot take up an App now. Its ``run`` raises it too: GitHub did not hand over the App.
    """

    def complete(code: str) -> str:
        app = registered_app(api_url, code)
        # First what can be done again without a loss: a second change of the secret forgets the first one.
        store_credential(stack, api_name, {"app_id": app.app_id, "private_key": app.private_key})
        oauth = {"client_id": app.client_id, "client_secret": app.client_secret}
        store_credential(stack, oauth_name, oauth)
        if app.webhook_secret:
            webhook_secret(stack).change(app.webhook_secret)
        else:
            print("GitHub made no secret for the webhook: put that of `make secret` into the App's settings.")
        installation_url = f"{app.url}/installations/new"
        print(f"{app.url} is registered, and its key and client secret stored. {_SOON}")
        print("People can sign in with it then.")
        print(f"Install it: {installation_url}")
        return installation_url

    # Whatever is missing is better found before there is an App.
    api_name, oauth_name = credential_name(stack), oauth_credential_name(stack)
    require_no_rotation(stack)
    permissions = PERMISSIONS | (MEMBERS_PERMISSION if stack.parameters.get("AllowedOrgs") else {})
    return AppRegistration(
        github_url=github_url,
        organization=organization,
        manifest=manifest(organization=organization, public_url=public_url, permissions=permissions),
        complete=complete,
    )


def use_key(stack: DeployedStack, *, api_url: str, app_id: str, private_key: str) -> None:
    """Store the key of an App that exists, such as a new one when keys are rotated.

    Raises
    ------
    ToolError
        GitHub does not accept the key, or the stack is too old to keep one.
    """
    if "PRIVATE KEY-----" not in private_key:
        raise ToolError("This is not a private key in PEM, as GitHub makes one for download.")
    name = app_name(api_url, App(app_id, private_key))
    store_credential(stack, credential_name(stack), {"app_id": app_id, "private_key": private_key})
    print(f"The key of the App {name} is stored. {_SOON}")


def use_token(stack: DeployedStack, *, api_url: str, token: str) -> None:
    """Store a personal access token.

    Raises
    ------
    ToolError
        GitHub does not accept the token, or the stack is too old to keep one.
    """
    # It becomes part of a header.
    if not _WORD.fullmatch(token):
        raise ToolError("This is no token, which is a single word such as github_pat_...")
    owner = token_owner(api_url, token)
    store_credential(stack, credential_name(stack), {"token": token})
    until = f"It works until {owner.expires}." if owner.expires else "It does not expire."
    print(f"The token of {owner.login} is stored. {until} {_SOON}")


def use_oauth_client(stack: DeployedStack, *, github_url: str, client_id: str, client_secret: str) -> None:
    """Store what people are signed in with: client id and secret of an OAuth App, or of the GitHub App.

    Raises
    ------
    ToolError
        GitHub does not accept them, or the stack is too old to keep them.
    """
    if not (_WORD.fullmatch(client_id) and _WORD.fullmatch(client_secret)):
        raise ToolError("A client id and a client secret are single words.")
    name = oauth_credential_name(stack)
    check_oauth_client(github_url, client_id, client_secret)
    store_credential(stack, name, {"client_id": client_id, "client_secret": client_secret})
    print(f"The client secret is stored. {_SOON}")


def remove_oauth_client(stack: DeployedStack) -> None:
    """Let nobody sign in any more; who is signed in stays so.

    Raises
    ------
    ToolError
        The stack is too old to have credentials for it.
    """
    if remove_credential(stack, oauth_credential_name(stack)):
        print("The client secret is removed; a function may use it for five more minutes.")
        print("At GitHub it is still good: delete it in the App's settings.")
    else:
        print("There is no client secret.")


def remove(stack: DeployedStack) -> None:
    """Forget the credential for the API; people go on signing in.

    Raises
    ------
    ToolError
        The stack is too old to have one.
    """
    if remove_credential(stack, credential_name(stack)):
        print("The credential is removed; a function may use it for five more minutes.")
        print("At GitHub it is still good: delete the token, or the App or its key, there.")
    else:
        print("There is no credential.")


def rotate(stack: DeployedStack) -> None:
    """Change the webhook's secret; the one so far is accepted beside it.

    Raises
    ------
    ToolError
        The change before this one has not come to its end.
    """
    require_no_rotation(stack)
    webhook_secret(stack).change(secrets.token_hex(32))
    # See docs/decisions/0004-webhook-secret.md.
    print("The secret is changed, and the former one accepted beside it.")
    print("Wait ten seconds; then give GitHub the new one, which `make secret` prints.")


def finish_rotation(stack: DeployedStack) -> None:
    """Accept the present secret only."""
    webhook_secret(stack).forget_former()
    print("Only the present secret is accepted, everywhere within five minutes.")
