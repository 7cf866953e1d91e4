"""The settings of the deployment: the functions' environment variables, read once (see template.yaml)."""

import os
from dataclasses import dataclass
from functools import cache
from typing import Self
from urllib.parse import urlsplit

from timer_core.domain.visibility import Visibility
from timer_core.github.trigger_config import TriggerConfig


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a function. A setting without an environment variable has its default.

    Attributes
    ----------
    stack_name
        The name of the stack.
    local_port
        The port of the local stack; None in AWS.
    track_unregistered
        Whether GitHub events also start timers of people who never signed in.
    triggers
        The labels, statuses and the command that start and stop timers, the fields of estimates and of
        time, and the lead teams.
    github_credential, oauth_credential
        The names of the SSM parameters that contain the credential for GitHub's API and the OAuth client of
        the sign-in; empty if the function does not read them.
    github_url, github_api_url
        The base URLs of GitHub's pages and of its API.
    session_secret_arn, webhook_secret_arn
        The ARN of the secret that signs sessions and deliveries; each function has one of the two.
    admins
        The people who may see and stop everybody's timers: logins in lower case, and numeric ids after a
        ``#``.
    team_visibility
        Who sees the time of people who have not chosen it themselves.
    writes_per_minute
        The number of changes that one person may make per minute.
    allowed_orgs
        The organizations whose members may sign in; if empty, everybody may.
    allowed_origins
        The web sites that sessions may be issued to.
    delivery_queue_url
        The queue of deliveries.
    retention_days
        The number of days after which the details of confirmed time are deleted; 0 if they are kept.
    timesheet_queue_url
        The queue of people whose days could not be stored.
    hook_queue_url
        The queue of notifications for outgoing webhooks.
    write_back_queue_url
        The queue of issues whose total time is written to GitHub; empty if the function queues none.
    export_function
        The ARN of the function that makes the files of reports.
    closing_comment
        Whether closed issues get a comment with their total time.
    live_endpoint
        The URL of API Gateway's management API of the live connections.
    max_receives
        How often SQS delivers a message before moving it to the dead-letter queue.
    apply_again_after_s
        The time after which moves and events of a repository are applied again (seconds).
    """

    stack_name: str
    local_port: int | None
    table_name: str
    track_unregistered: bool
    triggers: TriggerConfig
    github_credential: str
    oauth_credential: str
    github_url: str
    github_api_url: str
    session_secret_arn: str
    webhook_secret_arn: str
    admins: frozenset[str]
    team_visibility: Visibility
    writes_per_minute: int
    allowed_orgs: tuple[str, ...]
    allowed_origins: tuple[str, ...]
    delivery_queue_url: str
    retention_days: int
    timesheet_queue_url: str
    hook_queue_url: str
    write_back_queue_url: str
    export_function: str
    closing_comment: bool
    live_endpoint: str
    max_receives: int
    apply_again_after_s: int

    @property
    def github_host(self) -> str:
        """The host name of the GitHub server, such as ``github.com`` or ``SUBDOMAIN.ghe.com``."""
        return (urlsplit(self.github_api_url).hostname or "").removeprefix("api.")

    @classmethod
    def from_environment(cls) -> Self:
        """Read the variables.

        Raises
        ------
        KeyError
            If TABLE_NAME is not set; the template sets it for every function.
        ValueError
            If a numeric variable is not a number, or TEAM_VISIBILITY is none of the choices.
        """
        return cls(
            stack_name=stack_name(),
            local_port=int(os.environ.get("LOCAL_PORT") or 0) or None,
            table_name=os.environ["TABLE_NAME"],
            track_unregistered=os.environ.get("TRACK_UNREGISTERED") == "true",
            triggers=TriggerConfig(
                start_labels=_lower("START_LABELS"),
                command_prefix=os.environ.get("COMMAND_PREFIX", "/timer"),
                status_field=os.environ.get("STATUS_FIELD", "Status"),
                start_statuses=_lower("START_STATUSES", "In Progress"),
                stop_statuses=_lower("STOP_STATUSES", "Done"),
                estimate_field=os.environ.get("ESTIMATE_FIELD", "Estimate"),
                time_field=os.environ.get("TIME_FIELD", ""),
                lead_teams=_lower("LEAD_TEAMS"),
            ),
            github_credential=os.environ.get("GITHUB_CREDENTIAL", ""),
            oauth_credential=os.environ.get("OAUTH_CREDENTIAL", ""),
            github_url=os.environ.get("GITHUB_URL", "https://github.com"),
            github_api_url=os.environ.get("GITHUB_API_URL", "https://api.github.com"),
            session_secret_arn=os.environ.get("SESSION_SECRET_ARN", ""),
            webhook_secret_arn=os.environ.get("WEBHOOK_SECRET_ARN", ""),
            admins=_lower("ADMIN_LOGINS"),
            team_visibility=Visibility(os.environ.get("TEAM_VISIBILITY", "leads")),
            writes_per_minute=int(os.environ.get("WRITES_PER_MINUTE", "120")),
            allowed_orgs=_names("ALLOWED_ORGS"),
            allowed_origins=_names("ALLOWED_ORIGINS"),
            delivery_queue_url=os.environ.get("DELIVERY_QUEUE_URL", ""),
            retention_days=int(os.environ.get("RETENTION_DAYS") or 0),
            timesheet_queue_url=os.environ.get("TIMESHEET_QUEUE_URL", ""),
            hook_queue_url=os.environ.get("HOOK_QUEUE_URL", ""),
            write_back_queue_url=os.environ.get("WRITE_BACK_QUEUE_URL", ""),
            export_function=os.environ.get("EXPORT_FUNCTION", ""),
            closing_comment=os.environ.get("CLOSING_COMMENT") == "true",
            live_endpoint=os.environ.get("LIVE_ENDPOINT", ""),
            max_receives=int(os.environ.get("MAX_RECEIVES", "10")),
            apply_again_after_s=int(os.environ.get("APPLY_AGAIN_AFTER_S", "60")),
        )


def _names(variable: str, default: str = "") -> tuple[str, ...]:
    """Return the comma-separated names in a variable."""
    names = os.environ.get(variable, default).split(",")
    return tuple(name.strip() for name in names if name.strip())


def _lower(variable: str, default: str = "") -> frozenset[str]:
    """Return the comma-separated names in a variable, in lower case."""
    return frozenset(name.lower() for name in _names(variable, default))


def stack_name() -> str:
    """Return the name of the stack, also in processes without a function's settings.

    Operators' commands publish metrics too.
    """
    return os.environ.get("STACK_NAME", "issue-timer")


@cache
def settings() -> Settings:
    """Return the settings of this process."""
    return Settings.from_environment()
