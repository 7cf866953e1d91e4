"""The file of a report as CSV (RFC 4180), in the dialect that spreadsheets use in the caller's locale."""

import re
from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from reports.tables import Cell, Column, Kind
from timer_core.api.negotiation import weights

# The languages in which a comma separates the decimals, and the regions where they differ (Unicode CLDR, as
# `Intl.NumberFormat` of ECMA-402 shows it).
_COMMA = re.compile(
    "af|az|be|bg|br|bs|ca|cs|da|de|el|eo|es|et|eu|fi|fo|fr|fy|gl|hr|hu|hy|ia|id|is|it|jv|ka|kk|kl|ky|lb|ln|lo"
    "|lt|lv|mk|nb|nl|nn|no|os|pl|pt|rm|ro|ru|sc|sk|sl|sq|sr|su|sv|tk|tr|tt|uk|uz|vi|wo"
)
_POINT_IN = re.compile("de-(ch|li)|es-(br|bz|cu|do|gt|hn|mx|ni|pa|pe|pr|sv|us)|it-ch")
_COMMA_IN = re.compile(
    "en-(at|be|cz|de|dk|ee|es|fi|fr|ge|hu|id|it|lt|lv|nl|no|pl|pt|ro|se|si|sk|ua|za)|ms-(bn|id)"
)
# The positions at which a spreadsheet would evaluate a formula (OWASP, "CSV Injection"), as in
# web/page/csv.js: the start of a text, and each position after a semicolon, a tab or a line break, because
# some programs split lines there.
_FORMULAS = re.compile('(?:(?<=^)|(?<=[;\t\r\n]))(?=[" ]*[=+\\-@\uff1d\uff0b\uff0d\uff20])|^(?=[\t\r\n])')
_HOUR_MS = 3_600_000


class Dialect(NamedTuple):
    """The separators of fields and of decimals."""

    separator: str
    decimal: str


NEUTRAL = Dialect(",", ".")


def dialect_of(locale: str) -> Dialect:
    """Return the dialect of a locale, such as ``de-DE``.

    Fields are separated by semicolons where a comma separates the decimals.
    """
    language, *subtags = locale.lower().replace("_", "-").split("-")
    # A region has two letters or three digits (RFC 5646, section 2.2.4); a script may precede it.
    region = next((tag for tag in subtags if len(tag) == 2 or tag.isdigit()), "")
    regional = f"{language}-{region}"
    has_comma = _COMMA_IN.fullmatch(regional) or (
        _COMMA.fullmatch(language) and not _POINT_IN.fullmatch(regional)
    )
    return Dialect(";", ",") if has_comma else NEUTRAL


def preferred_locale(accept_language: str) -> str:
    """Return the locale with the highest weight in ``Accept-Language``; ``en`` if there is none."""
    known = {
        locale: weight for locale, weight in weights(accept_language).items() if locale != "*" and weight
    }
    return max(known, key=lambda locale: known[locale], default="en")


def to_csv(columns: list[Column], dialect: Dialect) -> str:
    """Return the text of the file, with a line for each row of the report.

    A duration has two columns: hours with four decimals, and seconds with up to three. There is no line with
    the totals, which would be added up with the rows.
    """
    fields = [field for column in columns for field in _fields(column, dialect)]
    lines = zip(*fields, strict=True)
    # Begin with a byte order mark, by which Excel recognizes UTF-8.
    return "\ufeff" + "".join(f"{dialect.separator.join(line)}\r\n" for line in lines)


def _fields(column: Column, dialect: Dialect) -> Iterator[list[str]]:
    """Yield the fields of a column, and its name before them."""
    if column.kind is Kind.DURATION:
        for name, unit_ms, decimals in (("hours", _HOUR_MS, 4), ("seconds", 1000, 3)):
            values = (
                _number(value / unit_ms, decimals, dialect) if isinstance(value, int) else ""
                for value in column.values
            )
            yield [f"{column.name}_{name}", *values]
    else:
        yield [column.name, *(_text(value, dialect) for value in column.values)]


def _number(value: float, decimals: int, dialect: Dialect) -> str:
    text = f"{value:.{decimals}f}".rstrip("0").rstrip(".")
    return text.replace(".", dialect.decimal)


def _text(value: Cell, dialect: Dialect) -> str:
    """Return a text without formulas, or a date, which spreadsheets read in all languages (ISO 8601)."""
    if value is None or isinstance(value, int):
        return "" if value is None else str(value)
    if isinstance(value, date):
        return value.isoformat()
    text = _FORMULAS.sub("'", value)
    is_quoted = dialect.separator in text or any(character in text for character in '"\r\n')
    return '"{}"'.format(text.replace('"', '""')) if is_quoted else text
