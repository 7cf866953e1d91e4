"""All routes of the function, with their descriptions.

Import this package on first use, because it imports pydantic (see `timer_core.api.direct`).
"""

# These modules add their routes to the app.
from timelogs.routes import (  # noqa: F401
    audit,
    corrections,
    live,
    operation,
    reading,
    timeline,
    timesheets,
    transitions,
)
from timelogs.routes.app import app

__all__ = ["app"]
