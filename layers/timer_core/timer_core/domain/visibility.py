"""Who sees whose time: each person's choice, and the reason for which a viewer sees a person."""

from enum import StrEnum


class Visibility(StrEnum):
    """Who besides a person sees that person's time."""

    NOBODY = "nobody"
    LEADS = "leads"
    EVERYONE = "everyone"


class SeenAs(StrEnum):
    """Why a viewer sees a person's time."""

    OWN = "own"
    LEAD = "lead"
    EVERYONE = "everyone"


def why_visible(visibility: Visibility, *, is_own: bool, is_lead: bool) -> SeenAs | None:
    """Return why a viewer sees a person's time; None if the viewer does not see it.

    Parameters
    ----------
    visibility
        The person's choice, or the default of the deployment. It decides about all of the person's time,
        also about time from before the choice.
    is_own
        Whether the viewer is the person.
    is_lead
        Whether the viewer is a lead or an admin.
    """
    if is_own:
        return SeenAs.OWN
    match visibility:
        case Visibility.EVERYONE:
            return SeenAs.EVERYONE
        case Visibility.LEADS:
            return SeenAs.LEAD if is_lead else None
        case Visibility.NOBODY:
            return None
