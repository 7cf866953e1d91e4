"""What the routes have in common: the stores, and the guard."""

from timer_core.api.request_guard import RequestGuard
from timer_core.observability import make_logger
from timer_core.settings import settings
from timer_core.store.calendars import Calendars
from timer_core.store.table import Table

logger = make_logger("schedule")

table = Table(settings().table_name)
calendars = Calendars(table)
guard = RequestGuard(table, logger)
