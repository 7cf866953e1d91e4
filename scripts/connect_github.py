"""``make github-app`` and related targets: change a stack's credentials for GitHub and its webhook secret."""

import argparse
import getpass
import sys
from pathlib import Path
from urllib.parse import urlsplit

from deployed_stack import DeployedStack
from deployed_stack.errors import ToolError
from deployed_stack.tool import run_tool
from github_connection import connect
from local_stack import LocalStack
from local_stack.choice import add_stack_options, chosen_stack


def main() -> int:
    """Run one command; return the exit status."""
    options = _parser().parse_args()
    stack = chosen_stack(options)
    if options.command == "app":
        _register_app(stack, options)
    elif options.command == "key":
        key = _read(options.file)
        connect.use_key(stack, api_url=options.api_url, app_id=options.app_id, private_key=key)
    elif options.command == "token":
        connect.use_token(stack, api_url=options.api_url, token=_ask_secret("Token"))
    elif options.command == "oauth":
        _use_oauth_client(stack, options)
    elif options.command == "remove":
        connect.remove(stack)
    elif options.done:
        connect.finish_rotation(stack)
    else:
        connect.rotate(stack)
    if isinstance(stack, LocalStack) and options.command != "rotate":
        print("Restart `make run`: with a credential it uses GitHub, without one its demo.")
    return 0


def _register_app(stack: DeployedStack, options: argparse.Namespace) -> None:
    if isinstance(stack, LocalStack) and not options.url:
        raise ToolError(
            "GitHub cannot reach this machine: set the address of a tunnel to it (URL=https://...), "
            "or name a stack in AWS (STACK=...)."
        )
    with connect.registration(
        stack,
        github_url=options.github_url,
        api_url=options.api_url,
        organization=options.org,
        public_url=options.url or stack.url,
    ) as registration:
        print("Open this page in a browser on this machine; Ctrl-C cancels.")
        print(f"\n  {registration.url}\n", flush=True)
        try:
            registration.run()
        except KeyboardInterrupt:
            raise ToolError("\nCancelled.") from None


def _use_oauth_client(stack: DeployedStack, options: argparse.Namespace) -> None:
    if options.remove:
        connect.remove_oauth_client(stack)
    else:
        connect.use_oauth_client(
            stack,
            github_url=options.github_url,
            client_id=options.client_id,
            client_secret=_ask_secret("Client secret"),
        )


def _ask_secret(prompt: str) -> str:
    text = getpass.getpass(f"{prompt}: ") if sys.stdin.isatty() else sys.stdin.readline()
    return text.strip()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    add_stack_options(parser)
    parser.add_argument(
        "--api-url", type=_base_url, default="https://api.github.com", help="the base of GitHub's REST API"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    app = commands.add_parser("app", help="register a GitHub App and store its credentials")
    app.add_argument("--org", help="the organization that will own the App; default: your own account")
    app.add_argument("--url", type=_base_url, help="the stack's address for GitHub; default: the stack's URL")
    _add_github_url(app)
    key = commands.add_parser("key", help="store the key of an existing App")
    key.add_argument("--app-id", required=True, help="the App's id or client id, from its settings")
    key.add_argument("--file", type=Path, required=True, help="the .pem file that you downloaded from GitHub")
    commands.add_parser("token", help="store a personal access token, typed without echo or piped in")
    oauth = commands.add_parser(
        "oauth", help="store the client secret for signing in, typed without echo or piped in"
    )
    choice = oauth.add_mutually_exclusive_group(required=True)
    choice.add_argument("--client-id", help="of an OAuth App or a GitHub App, from its settings")
    choice.add_argument(
        "--remove", action="store_true", help="remove the secret: nobody can sign in any more"
    )
    _add_github_url(oauth)
    commands.add_parser("remove", help="remove the App's key, or the token")
    rotate = commands.add_parser("rotate", help="change the webhook's secret; the previous one stays valid")
    rotate.add_argument(
        "--done", action="store_true", help="finish the change: the previous secret is no longer valid"
    )
    return parser


def _add_github_url(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--github-url", type=_base_url, default="https://github.com", help="the address of GitHub's pages"
    )


def _base_url(text: str) -> str:
    """Return an address without trailing slashes. It must use TLS, because secrets are sent to it."""
    parts = urlsplit(text)
    is_loopback = parts.hostname in {"127.0.0.1", "localhost"}
    if not parts.hostname or parts.scheme not in ({"https", "http"} if is_loopback else {"https"}):
        raise argparse.ArgumentTypeError(f"{text} is not a URL that begins with https://")
    return text.rstrip("/")


def _read(file: Path) -> str:
    try:
        return file.expanduser().read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ToolError(f"{file} cannot be read: {error}") from error


if __name__ == "__main__":
    run_tool(main)
