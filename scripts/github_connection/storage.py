"""What connecting leaves in AWS: the credential, and the secret of the webhooks."""

import json
from collections.abc import Mapping

from deployed_stack import DeployedStack
from local_stack.errors import LocalStackError


def credential_name(stack: DeployedStack) -> str:
    """Return the name of the parameter for the credential, which need not exist.

    Raises
    ------
    LocalStackError
        The stack was deployed by a version without one.
    """
    try:
        return stack.outputs["GitHubCredentialName"]
    except KeyError:
        raise LocalStackError("The stack is of an older version: deploy it anew first.") from None


def store_credential(stack: DeployedStack, credential: Mapping[str, str]) -> None:
    """Put a credential, encrypted, in the place of the former one, if any."""
    stack.aws.client("ssm").put_parameter(
        Name=credential_name(stack), Value=json.dumps(credential), Type="SecureString", Overwrite=True
    )


def remove_credential(stack: DeployedStack) -> bool:
    """Delete the credential, and return whether there was one."""
    ssm = stack.aws.client("ssm")
    try:
        ssm.delete_parameter(Name=credential_name(stack))
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
