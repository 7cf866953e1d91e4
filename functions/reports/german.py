"""The German texts of files."""

SHEET = "Bericht"
TOTAL = "Summe"
OVERLAPPING = "Ein Teil der Zeit steht in mehreren Zeilen, die Zeilen ergeben zusammen mehr als die Summe."
NOTE = (
    "Labels, Meilenstein, Typ, Projekte, Unter-Issues und Schätzungen sind die jetzigen der Issues. Zeit an"
    " einem Pull-Request zählt für das Issue, das er schließt."
)
HEADINGS = {
    "person": "Person",
    "person_name": "Name",
    "repository": "Repository",
    "issue": "Issue",
    "issue_title": "Titel",
    "issue_url": "Adresse",
    "label": "Label",
    "milestone": "Meilenstein",
    "type": "Typ",
    "project": "Projekt",
    "day": "Tag",
    "week": "Woche ab",
    "month": "Monat",
    "working": "Arbeitszeit",
    "working_with_sub_issues": "Mit Unter-Issues",
    "active": "Aktive Zeit",
    "confirmed": "Bestätigt",
    "entries": "Einträge",
    "estimate": "Schätzung",
    "left": "Übrig",
}
HOURS = "{} (Std.)"
