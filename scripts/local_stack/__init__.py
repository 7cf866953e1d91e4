"""The whole stack on this machine: template.yaml deployed to MiniStack, an AWS emulator.

Both the emulator and the stack are context managers::

    with MiniStack(state_dir=tmp_path) as emulator:
        emulator.session.client("dynamodb")

    with LocalStack(port=free_port(), state_dir=tmp_path) as stack:
        token = stack.mint_token("583231", login="octocat")
"""

from local_stack.ministack import MiniStack, free_port
from local_stack.stack import LocalStack

__all__ = ["LocalStack", "MiniStack", "free_port"]
