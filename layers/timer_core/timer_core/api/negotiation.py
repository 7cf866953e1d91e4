"""The weights in a request's ``Accept`` headers (RFC 9110, section 12.4.2)."""

import re

# A member of a list. A comma in a quoted string does not separate members (RFC 9110, section 5.6.4).
_MEMBER = re.compile(r'(?:[^,"]|"(?:\\.|[^"\\])*")+')
_WEIGHT = re.compile(r";\s*q=([^;]*)", re.IGNORECASE)
_QVALUE = re.compile(r"0(?:\.\d{0,3})?|1(?:\.0{0,3})?")


def weights(header: str) -> dict[str, float]:
    """Return the weights of the media types or language tags in a header, in the header's order.

    The names are in lower case and without parameters; the highest weight of a name counts. Weight 0 means
    "not acceptable". A member whose weight is not a number from 0 to 1 is omitted.
    """
    found: dict[str, float] = {}
    for member in _MEMBER.findall(header):
        name = member.partition(";")[0].strip().lower()
        weight = _WEIGHT.search(member)
        value = weight[1].strip() if weight else "1"
        if name and _QVALUE.fullmatch(value):
            found[name] = max(float(value), found.get(name, 0))
    return found
