"""Read and change a stack's credentials for GitHub in AWS."""

import json
from collections.abc import Mapping

from deployed_stack import DeployedStack
from deployed_stack.errors import ToolError


def credential_name(stack: DeployedStack) -> str:
    """Return the name of the parameter for the API's credential; the parameter may not exist yet."""
    return stack.outputs["GitHubCredentialName"]


def oauth_credential_name(stack: DeployedStack) -> str:
    """Return the name of the parameter for the OAuth credentials; the parameter may not exist yet."""
    return stack.outputs["OAuthCredentialName"]


def store_credential(stack: DeployedStack, name: str, credential: Mapping[str, str]) -> None:
    """Store a credential, encrypted, in place of the previous one."""
    stack.aws.client("ssm").put_parameter(
        Name=name, Value=json.dumps(credential), Type="SecureString", Overwrite=True
    )


def remove_credential(stack: DeployedStack, name: str) -> bool:
    """Delete a credential; return whether it existed."""
    ssm = stack.aws.client("ssm")
    try:
        ssm.delete_parameter(Name=name)
    except ssm.exceptions.ParameterNotFound:
        return False
    return True


def require_no_rotation(stack: DeployedStack) -> None:
    """Check that the webhook's secret may be changed now.

    Raises
    ------
    ToolError
        If the previous secret is still accepted, because another change would end its validity.
    """
    if stack.webhook_pair.has_previous:
        raise ToolError(
            "The webhook's secret was changed before, and the previous one is still accepted. When GitHub "
            "signs with the current one everywhere, finish that change: "
            f"{stack.make_command('github-rotate', 'DONE=1')}"
        )
