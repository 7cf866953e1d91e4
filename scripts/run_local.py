"""``make run``: run the whole stack on this machine until Ctrl-C."""

import argparse
import shlex
import signal
import time
from typing import NoReturn

import yaml

from deployed_stack.errors import ToolError
from deployed_stack.paths import ROOT
from deployed_stack.tool import run_tool
from local_stack import LocalStack
from local_stack.choice import DEFAULT_PORT, add_port_option
from local_stack.paths import state_dir
from local_stack.stack import DEMO_LOGIN, DEMO_USER_ID

# `make run` sets these parameters itself: the URLs of GitHub to GitHub's if the stack has credentials for
# GitHub, and otherwise to the demo's; the URL of connections to the emulator's; and the port to its own.
_NOT_SETTABLE = {"GitHubUrl", "GitHubApiUrl", "ConnectionsUrl", "LocalPort"}


def main() -> int:
    """Run the stack; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_port_option(parser)
    parser.add_argument(
        "--set", default="", help="parameters of template.yaml: 'Name=value Name=\"a value\"'"
    )
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    began = time.monotonic()
    try:
        options = parser.parse_args()
        parameters = _parameters(options.set)
        with LocalStack(
            options.port, state_dir(options.port), _say, parameters, with_demo_github=True
        ) as stack:
            token = _demo_token(stack)
            stack.wait_until_ready()
            _say(_welcome(stack, token, time.monotonic() - began))
            stack.supervise()
    except KeyboardInterrupt:
        _say("Stopped. Timers and tokens are kept for the next `make run`.")
    return 0


def _interrupt(_signal_number: int, _frame: object) -> NoReturn:
    # Ignore further signals, so that the emulator can save its state.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    _say("\nStopping: the emulator saves its data, which may take half a minute.")
    raise KeyboardInterrupt


def _say(text: str) -> None:
    print(text, flush=True)


def _parameters(text: str) -> dict[str, str]:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ToolError(f"SET= cannot be parsed: {error}.") from error
    parameters = {}
    known = _settable()
    for word in words:
        name, is_pair, value = word.partition("=")
        if not is_pair:
            raise ToolError(f'SET= has the form "AdminLogins=octocat WritesPerMinute=60", not {word!r}.')
        if name not in known:
            raise ToolError(f"There is no parameter {name!r}. There are {', '.join(known)}.")
        parameters[name] = value
    return parameters


def _settable() -> list[str]:
    # The base loader reads CloudFormation's functions as text.
    template = yaml.load((ROOT / "template.yaml").read_text(), Loader=yaml.BaseLoader)  # noqa: S506
    return sorted(template["Parameters"].keys() - _NOT_SETTABLE)


def _demo_token(stack: LocalStack) -> str:
    token = stack.recall("demo-token")
    if token is None:
        token = stack.mint_token(DEMO_USER_ID, login=DEMO_LOGIN, name="demo")
        stack.remember("demo-token", token)
    return token


def _welcome(stack: LocalStack, token: str, seconds: float) -> str:
    port = "" if stack.port == DEFAULT_PORT else f"PORT={stack.port} "
    codespace = f"\n  {stack.codespace_url}/ (this codespace)" if stack.codespace_url else ""
    month = f"`{stack.make_command('demo')}` adds a month of a small team's work"
    if stack.demo_github:
        steps = f"""1. Open it and sign in as a demo user, such as {DEMO_LOGIN}.
  2. Open {stack.url}/demo/, the demo GitHub, and work on issues: your timers follow.
  3. In a second terminal, {month}."""
    else:
        steps = f"""Open it and sign in with GitHub: the stack has credentials for it.
  In a second terminal, {month}."""
    return f"""
Issue Timer is up after {seconds:.0f} s. Ctrl-C stops it and keeps its data in .local/

  {stack.url}/{codespace}

  {steps}

In a second terminal:

  export {port}URL={stack.url} TOKEN={token}

  Timers of {DEMO_LOGIN}: curl -H "Authorization: Token $TOKEN" $URL/api/timelogs/
  GitHub assigns: make send EVENT=events/issues.assigned.json
  Logs: make logs, and of the emulator {stack.emulator.log_file.relative_to(ROOT)}
"""


if __name__ == "__main__":
    run_tool(main)
