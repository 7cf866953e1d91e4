"""Public holidays, from the package ``holidays``."""

from collections.abc import Sequence
from datetime import date

import holidays

from timer_core.domain.errors import ErrorCode, InvalidInput


def public_holidays(
    country: str, subdivision: str | None, year: int, language: str | None
) -> list[tuple[date, str]]:
    """Return the dates and names of the public holidays of a year, in order.

    Parameters
    ----------
    country, subdivision
        The codes of ISO 3166-1 and, without the country, ISO 3166-2, such as ``DE`` and ``BE``.
    language
        The preferred language of the names, such as ``de``. If the package does not have it, the names are in
        the country's own language.

    Raises
    ------
    InvalidInput
        If the holidays of the country or the subdivision are not known.
    """
    known = countries()
    if country not in known:
        raise InvalidInput("country", "Has no known holidays.", ErrorCode.UNKNOWN_REGION)
    if subdivision is not None and subdivision not in known[country]:
        raise InvalidInput("subdivision", "Is not a part of this country.", ErrorCode.UNKNOWN_REGION)
    of_country = holidays.country_holidays(country)
    # Without a language, the package would use that of the process's environment.
    available = [name for name in of_country.supported_languages if name.partition("_")[0] == language]
    names_in = min(available, default=of_country.default_language)
    found = holidays.country_holidays(country, subdiv=subdivision, years=year, language=names_in)
    return sorted(found.items())


def countries() -> dict[str, dict[str, str]]:
    """Return the codes of the countries whose holidays are known, with the names of their subdivisions.

    A subdivision that is not in ISO 3166-2, such as a city, has its name as its code.
    """
    known = holidays.list_supported_countries(include_aliases=False)
    return {country: _names(country, parts) for country, parts in sorted(known.items())}


def _names(country: str, parts: Sequence[str]) -> dict[str, str]:
    """Return the names of subdivisions by code. If there are several, the package has the main one first."""
    aliases = holidays.country_holidays(country).subdivisions_aliases if parts else {}
    names = {code: name for name, code in reversed(aliases.items())}
    return {code: names.get(code, code) for code in sorted(parts)}
