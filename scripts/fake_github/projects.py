"""Projects of organizations and their cards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fake_github import payloads
from fake_github.model import Card, Draft, Field, FieldValue, Issue, NumberField, NumberValue, Option, Project
from fake_github.repositories import Repositories

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from fake_github.model import Account, Repository

STATUSES = ("Todo", "In Progress", "Done")
PRIORITIES = ("High", "Medium", "Low")


class Projects(Repositories):
    """Actions on projects; only hooks of organizations and of Apps receive their events."""

    def new_project(
        self, organization: str, title: str = "Board", *, statuses: Iterable[str] = STATUSES
    ) -> Project:
        """Return a new project, with the single-select fields Status and Priority."""
        with self.acting():
            owner = self._owner(organization)
            project = self.nodes.new(Project, number=next(self.numbers), title=title, owner=owner)
            for name, options in (("Status", statuses), ("Priority", PRIORITIES)):
                project.fields[name] = self.nodes.new(
                    Field,
                    name=name,
                    project=project,
                    options=tuple(Option(f"{next(self.numbers):08x}", option) for option in options),
                )
            return project

    def add_card(self, project: Project, issue: Issue, *, by: Account | None = None) -> Card:
        """Add an issue to a project, without a status."""
        with self.acting():
            card = self._add_card(project, issue, by)
            issue.cards.append(card)
            return card

    def add_draft(self, project: Project, title: str, *, by: Account | None = None) -> Card:
        """Add a draft to a project."""
        with self.acting():
            return self._add_card(project, self.nodes.new(Draft, title=title), by)

    def move_card(
        self,
        card: Card,
        option: str | None,
        *,
        field: str = "Status",
        by: Account | None = None,
        old_payloads: bool = False,
    ) -> None:
        """Set a field of a card; None clears it.

        Parameters
        ----------
        old_payloads
            Whether the event omits the field's name and values, as in the first years of GitHub's projects.
        """
        with self.acting():
            if card.archived_at is not None:
                raise ValueError("The item is archived and cannot be updated.")
            chosen = card.project.fields[field]
            value = card.values.get(field)
            before = value.option if value else None
            after = next((one for one in chosen.options if one.name == option), None)
            if option is not None and after is None:
                raise ValueError(f"{field} has no option {option!r}.")
            if before == after:
                return
            card.updated_at = self.now
            self.set_field(card, chosen, after)
            changed: dict[str, Any] = {"field_node_id": chosen.node_id, "field_type": "single_select"}
            if not old_payloads:
                changed |= {
                    "field_name": chosen.name,
                    "project_number": card.project.number,
                    "from": payloads.option(before),
                    "to": payloads.option(after),
                }
            self._announce_card("edited", card, by, changes={"field_value": changed})

    def set_card_number(
        self, card: Card, number: float | None, *, field: str = "Estimate", by: Account | None = None
    ) -> None:
        """Set a number field of a card, which the project gets if it has none; None clears it."""
        with self.acting():
            chosen, before = self.new_number_field(card.project, field), card.numbers.pop(field, None)
            card.updated_at = self.now
            if number is not None:
                card.numbers[field] = self.nodes.new(
                    NumberValue, field=chosen, number=number, created_at=self.now, updated_at=self.now
                )
            changed = {
                "field_node_id": chosen.node_id,
                "field_type": "number",
                "field_name": chosen.name,
                "project_number": card.project.number,
                "from": before.number if before else None,
                "to": number,
            }
            self._announce_card("edited", card, by, changes={"field_value": changed})

    def new_number_field(self, project: Project, name: str) -> NumberField:
        """Return the number field of a project; create it if the project has none of this name."""
        with self.acting():
            fields = project.number_fields
            if name not in fields:
                fields[name] = self.nodes.new(NumberField, name=name, project=project)
            return fields[name]

    def set_field(self, card: Card, chosen: Field, option: Option | None) -> None:
        """Set a single-select field of a card without an event."""
        value = card.values.get(chosen.name)
        if option is None:
            card.values.pop(chosen.name, None)
        elif value:
            value.option, value.updated_at = option, self.now
        else:
            card.values[chosen.name] = self.nodes.new(
                FieldValue,
                card=card,
                field=chosen,
                option=option,
                created_at=self.now,
                updated_at=self.now,
            )

    def archive_card(self, card: Card, *, by: Account | None = None) -> None:
        """Archive a card, which keeps its status."""
        with self.acting():
            if card.archived_at is None:
                self._set_archived("archived", card, self.now, by)

    def restore_card(self, card: Card, *, by: Account | None = None) -> None:
        """Restore a card from the archive."""
        with self.acting():
            if card.archived_at is not None:
                self._set_archived("restored", card, None, by)

    def delete_card(self, card: Card, *, by: Account | None = None) -> None:
        """Delete a card from its project; its issue stays."""
        with self.acting():
            del self.nodes[card.node_id]
            if isinstance(card.content, Issue):
                card.content.cards.remove(card)
            self._announce_card("deleted", card, by)

    def convert_draft(self, card: Card, repository: Repository, *, by: Account | None = None) -> Issue:
        """Convert a draft to an issue of a repository; the card keeps its id and its status."""
        with self.acting():
            if not isinstance(card.content, Draft):
                raise TypeError("The card has an issue.")
            issue = self.new_issue(repository, card.content.title, by=by)
            del self.nodes[card.content.node_id]
            card.content, card.updated_at = issue, self.now
            issue.cards.append(card)
            self._announce_card(
                "converted", card, by, changes={"content_type": {"from": "DraftIssue", "to": "Issue"}}
            )
            return issue

    def _set_archived(self, action: str, card: Card, at: datetime | None, by: Account | None) -> None:
        before, card.archived_at = card.archived_at, at
        card.updated_at = self.now
        times = [None if one is None else payloads.time(one) for one in (before, at)]
        changes = {"archived_at": dict(zip(("from", "to"), times, strict=True))}
        self._announce_card(action, card, by, changes=changes)

    def _add_card(self, project: Project, content: Issue | Draft, by: Account | None) -> Card:
        card = self.nodes.new(
            Card,
            project=project,
            content=content,
            creator=by or self.maintainer,
            created_at=self.now,
            updated_at=self.now,
        )
        self._announce_card("created", card, by)
        return card

    def _announce_card(self, action: str, card: Card, by: Account | None, **members: Any) -> None:
        self._announce(
            "projects_v2_item",
            action,
            {"projects_v2_item": payloads.card(card), **members},
            sender=by or self.maintainer,
            owner=card.project.owner,
        )
