"""Durations that people type; docs/github.md, "Durations", specifies the grammar.

web/page/durations.js implements the same grammar. Both implementations are tested with the cases in
tests/support/durations.json.
"""

import re

# An hour, a minute, a second.
_UNITS_MS = (3_600_000, 60_000, 1_000)
_BLANK = "[ \t\u00a0\u202f]"
_NUMBER = "[0-9]{1,6}(?:[.,][0-9]{1,4})?"
_HOURS = r"(?:h|hrs?|hours?|std|stunden?)\.?"
_MINUTES = r"(?:m|mins?|minutes?|minuten)\.?"
_SECONDS = r"(?:s|secs?|seconds?|sek|sekunden?)\.?"


def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.ASCII)


_JOINT = _pattern(f"([a-z.])(?:,?{_BLANK}+(?:(?:and|und){_BLANK}+)?)([0-9])")
_UNITS = _pattern(
    f"(?:({_NUMBER}){_BLANK}*{_HOURS})?{_BLANK}*"
    f"(?:({_NUMBER}){_BLANK}*{_MINUTES})?{_BLANK}*"
    f"(?:({_NUMBER}){_BLANK}*{_SECONDS})?"
)
_CLOCK = _pattern("([0-9]{1,5}):([0-5][0-9])(?::([0-5][0-9]))?")
_ONE_DIGIT_OF_MINUTES = _pattern("([0-9]{1,5}):([0-9])")
_NO_UNIT_OF_MINUTES = _pattern(f"([0-9]{{1,5}}){_BLANK}*{_HOURS}{_BLANK}*([0-9]{{1,2}})")
_NO_UNIT = _pattern(_NUMBER)
_DAYS = _pattern(f"([0-9]{{1,3}}){_BLANK}*(?:d|days?|tage?)")


def decimal_hours(ms: int) -> float:
    """Return a duration in hours, rounded to hundredths."""
    return round(ms / 36_000) / 100


class InvalidDuration(ValueError):
    """A text is not a duration, or can mean several durations.

    Attributes
    ----------
    meanings
        The durations that the text can mean, each written in a valid form; empty if the text is not a
        duration.
    """

    def __init__(self, meanings: tuple[str, ...] = ()) -> None:
        super().__init__(" or ".join(meanings))
        self.meanings = meanings


def duration_ms(text: str) -> int:
    """Return the duration that a text means, in milliseconds.

    Raises
    ------
    InvalidDuration
        If the text is not a duration, or is ambiguous.
    """
    text = _JOINT.sub(r"\1 \2", text.strip(" \t\u00a0\u202f"))
    if text[:1] in {".", ","}:
        text = f"0{text}"
    if clock := _CLOCK.fullmatch(text):
        return sum(_ms(part, unit_ms) for part, unit_ms in zip(clock.groups(), _UNITS_MS, strict=True))
    units = _UNITS.fullmatch(text)
    numbers = [] if units is None else [number for number in units.groups() if number]
    if units is None or not numbers or any(map(_is_grouped, numbers)):
        raise InvalidDuration(_meanings(text))
    return sum(_ms(part, unit_ms) for part, unit_ms in zip(units.groups(), _UNITS_MS, strict=True))


def duration_text(ms: int) -> str:
    """Write a duration to the second, such as ``1h 30m``."""
    minutes, seconds = divmod(round(ms / 1_000), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "m"), (seconds, "s"))
    return " ".join(f"{count}{unit}" for count, unit in parts if count) or "0m"


def _ms(number: str | None, unit_ms: int) -> int:
    whole, _, fraction = _split(number or "0")
    scale: int = 10 ** len(fraction)
    # Round half up with integers, as the page does.
    return int(whole) * unit_ms + (2 * int(fraction or 0) * unit_ms + scale) // (2 * scale)


def _split(number: str) -> tuple[str, str, str]:
    """Return the digits before the separator, the separator, and the digits after it."""
    return number.partition("," if "," in number else ".")


def _is_grouped(number: str) -> bool:
    """Whether the separator in a number can also be one that groups thousands."""
    whole, _, fraction = _split(number)
    return len(fraction) == 3 and len(whole) <= 3 and whole[0] != "0"


def _meanings(text: str) -> tuple[str, ...]:
    if match := _ONE_DIGIT_OF_MINUTES.fullmatch(text):
        hours, digit = match.groups()
        # 1:0 can only mean 1:00, and 1:7 only 1:07.
        return (f"{hours}:0{digit}", f"{hours}:{digit}0")[: 2 if "0" < digit < "6" else 1]
    if match := _NO_UNIT_OF_MINUTES.fullmatch(text):
        return (f"{match[1]}h {match[2]}m",)
    if match := _DAYS.fullmatch(text):
        return (f"{8 * int(match[1])}h", f"{24 * int(match[1])}h")
    if _NO_UNIT.fullmatch(text):
        return _meanings_without_unit(text)
    units = _UNITS.fullmatch(text)
    numbers = {} if units is None else {unit: n for unit, n in zip("hms", units.groups(), strict=True) if n}
    if len(numbers) != 1:
        return ()
    ((unit, number),) = numbers.items()
    return (f"{_decimal(number)}{unit}", f"{_integer(number)}{unit}")


def _meanings_without_unit(number: str) -> tuple[str, ...]:
    whole, separator, fraction = _split(number)
    if not separator:
        return (f"{number}m", f"{number}h")
    if len(fraction) == 2 and fraction < "60":
        return (f"{whole}:{fraction}", f"{number}h")
    return (f"{_decimal(number)}h", f"{_integer(number) if _is_grouped(number) else _decimal(number)}m")


def _integer(number: str) -> str:
    return number.replace(".", "").replace(",", "")


def _decimal(number: str) -> str:
    """Return a number without the zeros at its end, in a form that cannot be read as grouped thousands."""
    whole, separator, fraction = _split(number)
    fraction = fraction.rstrip("0")
    if not fraction:
        return whole
    return f"{whole}{separator}{fraction}{'0' if len(fraction) == 3 else ''}"
