"""The organization's settings as operators write them: ``concurrent_timers=shared overtime_hours=2``.

Working hours are a time zone, and weekdays with their intervals: ``working_hours="Europe/Berlin mon-thu
09:00-12:30,13:00-17:00 fri 09:00-14:00"``; ``working_hours=always`` if all time counts.
"""

import json
import shlex
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from pydantic import ValidationError

from deployed_stack.errors import ToolError
from schedule.models import SettingsRequest
from timer_core.clock import iso
from timer_core.domain.calendar import HOUR_MS, Policy
from timer_core.domain.errors import InvalidInput
from timer_core.domain.schedule import Week
from timer_core.domain.weeks import WEEKDAYS, format_week

_ALWAYS = "always"
_NONE = "none"
_FORM = 'working_hours has the form "Europe/Berlin mon-fri 09:00-12:30,13:00-17:00", or is "always".'


def parse(text: str) -> dict[str, Any]:
    """Return the attributes of a `Policy` that a text changes.

    Raises
    ------
    ToolError
        If the text or a setting in it is not valid.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ToolError(f"SET= cannot be parsed: {error}.") from error
    body: dict[str, Any] = {}
    for word in words:
        name, is_pair, value = word.partition("=")
        if not is_pair:
            raise ToolError(f'SET= has the form "concurrent_timers=shared overtime_hours=2", not {word!r}.')
        if name not in SettingsRequest.model_fields:
            known = ", ".join(SettingsRequest.model_fields)
            raise ToolError(f"There is no setting {name!r}. There are {known}.")
        body[name] = _working_hours(value) if name == "working_hours" else _scalar(value)
    try:
        return SettingsRequest.model_validate(body).changes()
    except ValidationError as error:
        first = error.errors()[0]
        raise ToolError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}.") from None
    except InvalidInput as error:
        raise ToolError(f"{error.field}: {error.message}") from None


def describe(policies: Sequence[Policy]) -> Iterator[str]:
    """Yield lines about the present settings and about the times at which they changed."""
    settings = [_settings(policy) for policy in policies]
    yield from (f"{name}={shlex.quote(value)}" for name, value in settings[-1].items())
    for number in range(len(policies) - 1, 0, -1):
        before, after = settings[number - 1], settings[number]
        changes = [
            f"{name}={shlex.quote(value)} (was {shlex.quote(before[name])})"
            for name, value in after.items()
            if value != before[name]
        ]
        yield f"since {iso(policies[number].from_ms)}: {', '.join(changes)}"


def _settings(policy: Policy) -> dict[str, str]:
    return {
        "working_hours": _text_of(policy.working_hours),
        "concurrent_timers": policy.concurrent_timers.value,
        "overtime_hours": f"{policy.overtime_ms / HOUR_MS:g}",
        "assignment_starts": policy.assignment_starts.value,
        "stale_after_hours": f"{policy.stale_after_ms / HOUR_MS:g}",
    }


def _scalar(value: str) -> Any:
    """Return a number if the text is one, as in JSON, and otherwise the text."""
    try:
        number = json.loads(value)
    except ValueError:
        return value
    return number if isinstance(number, int | float) else value


def _working_hours(text: str) -> dict[str, Any] | None:
    if text == _ALWAYS:
        return None
    zone, *words = text.split()
    week: dict[str, list[list[str]]] = {}
    if not words or len(words) % 2:
        raise ToolError(_FORM)
    for days, intervals in zip(words[::2], words[1::2], strict=True):
        first, _, last = days.lower().partition("-")
        if first not in WEEKDAYS or (last or first) not in WEEKDAYS:
            raise ToolError(f"There is no weekday {days!r}. {_FORM}")
        begin = WEEKDAYS.index(first)
        # A week may begin on Sunday: sun-thu.
        count = (WEEKDAYS.index(last or first) - begin) % len(WEEKDAYS) + 1
        for number in range(begin, begin + count):
            pairs = [] if intervals == _NONE else [one.split("-") for one in intervals.split(",")]
            week.setdefault(WEEKDAYS[number % len(WEEKDAYS)], []).extend(pairs)
    return {"time_zone": zone, "week": week}


def _text_of(week: Week) -> str:
    days = format_week(week)
    if days is None:
        return _ALWAYS
    words = [week.zone]
    for intervals, group in groupby(WEEKDAYS, key=lambda day: days[day]):
        alike = list(group)
        if intervals:
            names = alike[0] if len(alike) == 1 else f"{alike[0]}-{alike[-1]}"
            words += [names, ",".join("-".join(pair) for pair in intervals)]
    return " ".join(words if any(days.values()) else [week.zone, "mon-sun", _NONE])
