"""What connecting leaves in AWS: the credentials, and the secret of the webhooks."""

import json
from collections.abc import Mapping

from deployed_stack import DeployedStack
from local_stack.errors import LocalStackError


def credential_name(stack: DeployedStack) -> str:
    """Return the name of the parameter for the API's credential, which need not exist.

    Raises
    ------
    LocalStackError
        The stack was deployed by a version without one.
    """
    return _output(stack, "GitHubCredentialName")


def oauth_credential_name(stack: DeployedStack) -> str:
    """Return the name of the parameter for the credentials of signing in, which need not exist.

    Raises
    ------
    LocalStackError
        The stack was deployed by a version without one.
    """
    return _output(stack, "OAuthCredentialName")


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
    LocalStackError
        The former secret is still accepted, and would not be after one more change.
    """
    if _webhook_secrets(stack).get("previous"):
        raise LocalStackError(
            "The webhook's secret has been changed before, and the former one is still accepted. When GitHub "
            "signs with the present one everywhere, end that change: make github-rotate DONE=1"
        )


def change_webhook_secret(stack: DeployedStack, secret: str) -> None:
    """Make a secret the present one; the one so far is accepted beside it."""
    _write_webhook_secrets(stack, current=secret, previous=_webhook_secrets(stack)["current"])


def forget_former_webhook_secret(stack: DeployedStack) -> None:
    """Accept the present secret only."""
    _write_webhook_secrets(stack, current=_webhook_secrets(stack)["current"], previous="")


def _write_webhook_secrets(stack: DeployedStack, *, current: str, previous: str) -> None:
    stack.aws.client("secretsmanager").put_secret_value(
        SecretId=stack.outputs["WebhookSecretArn"],
        SecretString=json.dumps({"current": current, "previous": previous}),
    )


def _webhook_secrets(stack: DeployedStack) -> dict[str, str]:
    secret = stack.aws.client("secretsmanager").get_secret_value(SecretId=stack.outputs["WebhookSecretArn"])
    loaded: dict[str, str] = json.loads(secret["SecretString"])
    return loaded


def _output(stack: DeployedStack, name: str) -> str:
    try:
        return stack.outputs[name]
    except KeyError:
        raise LocalStackError("The stack is of an older version: deploy it anew first.") from None
