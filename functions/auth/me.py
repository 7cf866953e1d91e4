"""The account of the caller as the API shows it (see `models.Me`)."""

from typing import Any

from timer_core.api.auth import Caller
from timer_core.api.times import format_ms
from timer_core.store.people import Profile


def me(caller: Caller, profile: Profile | None) -> dict[str, Any]:
    """Return the representation of a caller; a token's owner may have no profile."""
    session = caller.session
    return {
        "id": caller.user_id,
        "login": profile.login if profile else caller.person.login,
        "name": profile.name if profile else "",
        "avatar_url": profile.avatar_url if profile else "",
        "created": format_ms(profile.created_ms) if profile else None,
        "is_admin": caller.is_admin,
        "scope": "write" if caller.person.can_write else "read",
        "session": session and {"expires": format_ms(session.expires_s * 1000), "origin": session.origin},
    }
