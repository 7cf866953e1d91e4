"""What connecting leaves in AWS: the credentials, and the secret of the webhooks."""

import json
from collections.abc import Mapping

from deployed_stack import DeployedStack
from deployed_stack.errors import ToolError
from deployed_stack.secret_pair import SecretPair


def credential_name(stack: DeployedStack) -> str:
    """Return the name of the parameter for the API's credential, which need not exist."""
    return stack.outputs["GitHubCredentialName"]


def oauth_credential_name(stack: DeployedStack) -> str:
    """Return the name of the parameter for the credentials of signing in, which need not exist."""
    return stack.outputs["OAuthCredentialName"]


def store_credential(stack: DeployedStack, name: str, credential: Mapping[str, str]) -> None:
    """Put a credential, encrypted, in the place of the former one, if any."""
    stack.aws.client("ssm").put_parameter(
        Name=name, Value=json.dumps(credential), Type="SecureString", Overwrite=True
    )


def remove_credential(stack: DeployedStack, name: str) -> bool:
    """Delete a credential, and return whether there was one."""
    ssm = stack.aws.client("ssm")
    try:
        ssm.delete_parameter(Name=name)
    except ssm.exceptions.ParameterNotFound:
        return False
    return True


def require_no_rotation(stack: DeployedStack) -> None:
    """Find out whether the webhook's secret can be changed without refusing deliveries.

    Raises
    ------
    ToolError
        The former secret is still accepted, and would not be after one more change.
    """
    if webhook_secret(stack).has_former:
        raise ToolError(
            "The webhook's secret has been changed before, and the former one is still accepted. When GitHub "
            "signs with the present one everywhere, end that change: make github-rotate DONE=1"
        )


def webhook_secret(stack: DeployedStack) -> SecretPair:
    """Return the secret that GitHub's deliveries are signed with, and the one before it."""
    return SecretPair(stack.aws, stack.outputs["WebhookSecretArn"])
