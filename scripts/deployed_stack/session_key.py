"""The rotation of the key that signs sessions."""

import secrets
from datetime import timedelta

from deployed_stack.errors import ToolError
from deployed_stack.secret_pair import SecretPair
from deployed_stack.stack import DeployedStack
from timer_core.api.sessions import LIFE_S
from timer_core.secrets import SESSION_STAGE

# By then, all sessions signed with the previous key have expired. The functions may sign with that key for
# six minutes after a change, and a session lasts an hour.
_SIGNED_OUT_AFTER = timedelta(seconds=2 * LIFE_S)


def rotate(stack: DeployedStack) -> None:
    """Create a new key. Sessions signed with the former key stay valid, so nobody is signed out.

    Raises
    ------
    ToolError
        If the last change was less than two hours ago, because sessions signed with the previous key may
        exist.
    """
    pair = _pair(stack)
    _require_age(pair)
    pair.change(_new_key())


def finish(stack: DeployedStack) -> None:
    """Accept only sessions that are signed with the current key.

    Raises
    ------
    ToolError
        If the last change was less than two hours ago, because sessions signed with the previous key may
        exist.
    """
    pair = _pair(stack)
    _require_age(pair)
    pair.forget_previous()


def replace(stack: DeployedStack) -> None:
    """Create a new key and end all sessions, because the current key has leaked."""
    _pair(stack).replace(_new_key())


def _require_age(pair: SecretPair) -> None:
    if pair.has_previous and pair.age < _SIGNED_OUT_AFTER:
        minutes = -((pair.age - _SIGNED_OUT_AFTER) // timedelta(minutes=1))
        raise ToolError(
            "The key was changed less than two hours ago, and people have sessions of the previous key: "
            f"try again in {minutes} minutes. If a key has leaked, LEAKED=1 signs everybody out now."
        )


def _pair(stack: DeployedStack) -> SecretPair:
    return SecretPair(stack.aws, stack.outputs["SigningKeysArn"], SESSION_STAGE)


def _new_key() -> str:
    return secrets.token_hex(32)
