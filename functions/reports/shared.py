"""What the routes have in common: the stores, and the guard."""

from timer_core.api.request_guard import RequestGuard
from timer_core.observability import make_logger
from timer_core.services.team import Team
from timer_core.settings import settings
from timer_core.store.calendars import Calendars
from timer_core.store.issue_details import IssueDetailsStore
from timer_core.store.queries import TimerQueries
from timer_core.store.repositories import PresentNames
from timer_core.store.table import Table
from timer_core.store.timesheets import Timesheets

logger = make_logger("reports")

table = Table(settings().table_name)
timers = TimerQueries(table)
timesheets = Timesheets(table, timers, Calendars(table))
names = PresentNames(table)
details = IssueDetailsStore(table)
team = Team(
    table,
    lead_teams=settings().triggers.lead_teams,
    admins=settings().admins,
    default=settings().team_visibility,
)
guard = RequestGuard(table, logger)
