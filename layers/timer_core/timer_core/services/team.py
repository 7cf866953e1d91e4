"""Who sees whose time. Nothing is cached, so that a choice and the end of a lead's role count at once."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from timer_core.domain.visibility import SeenAs, Visibility, why_visible
from timer_core.store.lead_teams import LeadTeamStore
from timer_core.store.people import PeopleStore, Person, Profile
from timer_core.store.table import Table


class Viewer(Protocol):
    """The person who makes a request, such as `timer_core.api.auth.Caller`."""

    @property
    def person(self) -> Person:
        """The person."""

    @property
    def is_admin(self) -> bool:
        """Whether the person may see and stop everybody's timers."""

    @property
    def is_embedded(self) -> bool:
        """Whether a web site that embeds the widget makes the request."""


@dataclass(frozen=True, slots=True)
class VisiblePerson:
    """A person whose time a viewer sees, and the reason."""

    id: int
    login: str
    name: str
    avatar_url: str
    why: SeenAs


@dataclass(frozen=True, slots=True)
class Lead:
    """A person who sees somebody's time as a lead.

    Attributes
    ----------
    teams
        The lead teams that the person belongs to.
    is_admin
        Whether the person is a lead because of being an admin.
    """

    login: str
    name: str
    teams: tuple[str, ...]
    is_admin: bool


@dataclass(frozen=True, slots=True)
class Audience:
    """The people who see a person's time.

    Attributes
    ----------
    choice
        The person's choice; None if the person has not chosen.
    visibility
        The choice, or the default of the deployment.
    leads
        The registered leads, sorted by login; empty if `visibility` is ``nobody``.
    """

    choice: Visibility | None
    visibility: Visibility
    leads: tuple[Lead, ...]


class Team:
    """Decides who sees whose time.

    A person sees their own time. Others see it as the person has chosen: nobody, leads, or everyone who is
    registered. Leads are the members of the lead teams, and the admins. People who never signed in are seen
    by nobody, because they could not choose. A web site that embeds the widget sees only the time of the
    person who has signed in there.

    Parameters
    ----------
    lead_teams
        The teams whose members are leads, such as ``octo-org/leads``, in lower case.
    admins
        The admins: logins in lower case, and numeric ids after a ``#``.
    default
        Who sees the time of people who have not chosen.
    """

    def __init__(
        self, table: Table, *, lead_teams: Collection[str], admins: Collection[str], default: Visibility
    ) -> None:
        self._people = PeopleStore(table)
        self._lead_teams = LeadTeamStore(table)
        self._names = lead_teams
        self._admins = admins
        self._default = default

    def visible_to(self, viewer: Viewer) -> list[VisiblePerson]:
        """Return the people whose time a viewer sees, sorted by login. The viewer is one of them."""
        own_id = viewer.person.user_id
        profiles = self._people.registered_profiles([own_id] if viewer.is_embedded else None)
        own = profiles.pop(own_id, None)
        found = [_visible(own, SeenAs.OWN) if own else _unregistered(viewer.person)]
        # A person who is being deleted, and whose session functions still cache, sees nobody else.
        if own and profiles:
            is_lead = self._is_lead(viewer)
            for profile in profiles.values():
                why = why_visible(self._visibility(profile), is_own=False, is_lead=is_lead)
                if why is not None:
                    found.append(_visible(profile, why))
        return sorted(found, key=lambda person: (person.login.lower(), person.id))

    def can_see(self, viewer: Viewer, user_id: int) -> bool:
        """Whether a viewer sees a person's time; false too if there is no such person."""
        return user_id in self.visible_of(viewer, [user_id])

    def visible_of(self, viewer: Viewer, user_ids: Collection[int]) -> set[int]:
        """Return those among some people whose time a viewer sees."""
        own_id = viewer.person.user_id
        others = {*user_ids} - {own_id}
        seen = {*user_ids} & {own_id}
        if not others or viewer.is_embedded:
            return seen
        profiles = self._people.registered_profiles({*others, own_id})
        if own_id not in profiles:
            return seen
        is_lead = self._is_lead(viewer)
        return seen | {
            user_id
            for user_id in others & profiles.keys()
            if why_visible(self._visibility(profiles[user_id]), is_own=False, is_lead=is_lead)
        }

    def seen_by_leads(self, user_ids: Collection[int]) -> dict[int, Profile]:
        """Return the profiles of those among some people whose time leads see."""
        profiles = self._people.registered_profiles(user_ids) if user_ids else {}
        return {
            user_id: profile
            for user_id, profile in profiles.items()
            if why_visible(self._visibility(profile), is_own=False, is_lead=True)
        }

    def logins_seen_by_everyone(self, user_ids: Collection[int]) -> dict[int, str]:
        """Return the logins, by user id, of those among some people whose time everyone sees."""
        profiles = self._people.registered_profiles(user_ids)
        return {
            user_id: profile.login
            for user_id, profile in profiles.items()
            if self._visibility(profile) is Visibility.EVERYONE
        }

    def audience(self, user_id: int) -> Audience:
        """Return who sees a person's time, without the person and without those who are not registered."""
        profiles = self._people.registered_profiles()
        own = profiles.pop(user_id, None)
        visibility = self._visibility(own) if own else Visibility.NOBODY
        leads = () if visibility is Visibility.NOBODY else self._leads(profiles)
        return Audience(own.visibility if own else None, visibility, leads)

    def _leads(self, profiles: Mapping[int, Profile]) -> tuple[Lead, ...]:
        """Return the leads among some people, sorted by login."""
        teams = self._members()
        people = (
            Lead(
                profile.login,
                profile.name,
                tuple(name for name in sorted(teams) if user_id in teams[name]),
                self._is_admin(profile),
            )
            for user_id, profile in profiles.items()
        )
        leads = (person for person in people if person.teams or person.is_admin)
        return tuple(sorted(leads, key=lambda lead: lead.login.lower()))

    def _is_lead(self, viewer: Viewer) -> bool:
        return viewer.is_admin or any(
            viewer.person.user_id in members for members in self._members().values()
        )

    def _members(self) -> dict[str, frozenset[int]]:
        """Return the members of each lead team. A team that is no longer one may still be stored."""
        if not self._names:
            return {}
        return {name: team.members for name, team in self._lead_teams.teams().items() if name in self._names}

    def _is_admin(self, profile: Profile) -> bool:
        return not {profile.login.lower(), f"#{profile.user_id}"}.isdisjoint(self._admins)

    def _visibility(self, profile: Profile) -> Visibility:
        return profile.visibility or self._default


def _visible(profile: Profile, why: SeenAs) -> VisiblePerson:
    return VisiblePerson(profile.user_id, profile.login, profile.name, profile.avatar_url, why)


def _unregistered(person: Person) -> VisiblePerson:
    return VisiblePerson(person.user_id, person.login, "", "", SeenAs.OWN)
