"""The demo's team: its people, repositories, labels and issues, as plain data.

The demo GitHub shows them on its board, and `make demo` makes a month of work of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

# The intervals of each weekday's working hours, as in the API: {"mon": [["09:00", "17:00"]]}.
WorkingHours: TypeAlias = Mapping[str, Sequence[Sequence[str]]]
IssueType: TypeAlias = Literal["Bug", "Feature", "Task"]
# The columns of the board, in order. Issues in the last one are closed.
Status: TypeAlias = Literal["Todo", "In progress", "In review", "Done"]
STATUSES: tuple[Status, ...] = ("Todo", "In progress", "In review", "Done")

_WORKDAYS = ("mon", "tue", "wed", "thu", "fri")


def _workdays(*intervals: tuple[str, str]) -> WorkingHours:
    return dict.fromkeys(_WORKDAYS, intervals)


@dataclass(frozen=True, slots=True)
class Habits:
    """How a person works and records their time.

    Attributes
    ----------
    starts_by
        What begins their work on an issue: a colleague or they themselves assign it (``assignment``), they
        move its card (``card``), press Start on the page (``page``), or comment ``/timer start``
        (``command``).
    minutes_late
        The largest difference between the beginning of their working hours and their first act of a day.
    breaks
        The largest number of short breaks in a day, for which they pause the timer.
    evenings
        The share of days on which they go on after their working hours.
    confirms
        When they confirm the days that are over: the next day, on Mondays, or never.
    """

    starts_by: Literal["assignment", "card", "page", "command"]
    minutes_late: int
    breaks: int
    evenings: float
    confirms: Literal["daily", "weekly", "never"]


@dataclass(frozen=True, slots=True)
class Person:
    """A member of the organization, with the numeric id of their account."""

    id: int
    login: str
    name: str
    time_zone: str
    working_hours: WorkingHours = field(hash=False)
    habits: Habits


@dataclass(frozen=True, slots=True)
class Label:
    """A label, which every repository has; ``color`` has six hexadecimal digits."""

    name: str
    color: str
    description: str


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository of the organization."""

    id: int
    name: str
    description: str

    @property
    def full_name(self) -> str:
        """``owner/name``."""
        return f"{ORGANIZATION}/{self.name}"


@dataclass(frozen=True, slots=True)
class Issue:
    """An issue as it is today: a number is unique in its repository.

    Attributes
    ----------
    labels
        The names of its labels.
    assignees
        The logins of its assignees.
    """

    repository: Repository
    number: int
    title: str
    type: IssueType
    status: Status
    labels: tuple[str, ...] = ()
    assignees: tuple[str, ...] = ()

    @property
    def id(self) -> int:
        """A number that no other issue has."""
        return self.repository.id * 1000 + self.number

    @property
    def milestone(self) -> str | None:
        """The title of the issue's milestone."""
        if self.repository.name == "handbook" or QUICK_FIX in self.labels:
            return None
        return "Autumn" if self.status == "Done" else "Holiday season"

    @property
    def estimate_hours(self) -> float | None:
        """The estimate in the issue's number field."""
        if QUICK_FIX in self.labels:
            return 0.5
        if self.repository.name == "handbook" or self.number % 6 == 0:
            return None
        return {"Bug": 6, "Feature": 20, "Task": 10}[self.type] + self.number % 4

    @property
    def parent(self) -> "Issue | None":
        """The issue of which it is a sub-issue."""
        return next((one for one in ISSUES if one.title == _PARENTS.get(self.title)), None)


ORGANIZATION = "octo-demo"
ORGANIZATION_ID = 2_100_000_000
PROJECT = "Octo Demo roadmap"

# Ids of made-up people are larger than those of all accounts at GitHub, but have 32 bits, because GitHub's
# GraphQL API declares databaseId as Int. The first person is the assignee in the sample events of events/.
PEOPLE = (
    Person(
        21031067,
        "Codertocat",
        "Cody Tocat",
        "Europe/Berlin",
        _workdays(("09:00", "12:30"), ("13:15", "17:45")),
        Habits("assignment", minutes_late=12, breaks=2, evenings=0.2, confirms="daily"),
    ),
    Person(
        583231,
        "octocat",
        "The Octocat",
        "America/Los_Angeles",
        _workdays(("09:30", "12:00"), ("13:00", "18:30")),
        Habits("card", minutes_late=20, breaks=1, evenings=0.1, confirms="weekly"),
    ),
    Person(
        2_100_000_001,
        "octo-ada",
        "Ada Lindqvist",
        "Europe/Stockholm",
        _workdays(("08:00", "11:45"), ("12:30", "16:45")),
        Habits("page", minutes_late=6, breaks=2, evenings=0.05, confirms="daily"),
    ),
    Person(
        2_100_000_002,
        "octo-chidi",
        "Chidi Okafor",
        "Africa/Lagos",
        _workdays(("09:00", "13:00"), ("14:00", "18:00")),
        Habits("command", minutes_late=15, breaks=1, evenings=0.15, confirms="weekly"),
    ),
    Person(
        2_100_000_003,
        "octo-mei",
        "Mei Tanaka",
        "Asia/Tokyo",
        _workdays(("09:30", "12:00"), ("13:00", "18:30")),
        Habits("page", minutes_late=5, breaks=3, evenings=0.3, confirms="daily"),
    ),
    Person(
        2_100_000_004,
        "octo-rafael",
        "Rafael Costa",
        "America/Sao_Paulo",
        _workdays(("10:00", "13:00"), ("14:00", "19:00")),
        Habits("assignment", minutes_late=25, breaks=1, evenings=0.1, confirms="never"),
    ),
    Person(
        2_100_000_005,
        "octo-priya",
        "Priya Nair",
        "Asia/Kolkata",
        # Part-time: no work on Fridays.
        dict.fromkeys(_WORKDAYS[:4], (("09:00", "13:00"), ("13:45", "16:15"))),
        Habits("page", minutes_late=8, breaks=1, evenings=0.0, confirms="weekly"),
    ),
    Person(
        2_100_000_006,
        "octo-tom",
        "Tom Becker",
        "Europe/London",
        # On call on Saturday mornings.
        {**_workdays(("09:00", "12:30"), ("13:30", "17:00")), "sat": (("10:00", "12:00"),)},
        Habits("card", minutes_late=10, breaks=2, evenings=0.2, confirms="never"),
    ),
)

REPOSITORIES = (
    Repository(2_100_000_101, "storefront", "The web shop"),
    Repository(2_100_000_102, "payments", "Payments, invoices and refunds"),
    Repository(2_100_000_103, "mobile-app", "The app for iOS and Android"),
    Repository(2_100_000_104, "infrastructure", "Cloud, deployment and monitoring"),
    Repository(2_100_000_105, "handbook", "How we work"),
)
_STOREFRONT, _PAYMENTS, _MOBILE, _INFRASTRUCTURE, _HANDBOOK = REPOSITORIES

QUICK_FIX = "quick fix"
LABELS = (
    Label("bug", "d73a4a", "Something is not working"),
    Label("enhancement", "a2eeef", "New feature or request"),
    Label("documentation", "0075ca", "Improvements or additions to documentation"),
    Label("security", "b60205", "Affects the safety of data"),
    Label("performance", "fbca04", "Too slow, or too large"),
    Label("accessibility", "5319e7", "People cannot use it with every device or sense"),
    Label("customer", "0e8a16", "A customer asked for it"),
    Label(QUICK_FIX, "bfdadc", "Done within an hour"),
    Label("tech debt", "c5def5", "Makes later changes easier"),
)


def _issues(
    repository: Repository,
    *rows: tuple[str, IssueType, Status, tuple[str, ...], tuple[str, ...]],
) -> tuple[Issue, ...]:
    return tuple(
        Issue(repository, number, title, kind, status, labels, assignees)
        for number, (title, kind, status, labels, assignees) in enumerate(rows, 1)
    )


# Parents by the titles of their sub-issues.
_PARENTS = {
    "Cart loses items after signing in": "Wish lists that can be shared",
    "Filter by size and colour": "Wish lists that can be shared",
    "Product images are larger than the screen": "First paint takes three seconds on slow phones",
    "Scrolling stutters in long lists": "First paint takes three seconds on slow phones",
    "Refunds fail for split payments": "Direct debit for business customers",
    "Invoices with the customer's VAT number": "Direct debit for business customers",
    "Retry a bank's timeout without charging twice": "Direct debit for business customers",
    "App crashes when the camera is denied": "Barcode scanner for returns",
    "Database failover takes nine minutes": "Load test before the holiday season",
    "Move the queues to the new region": "Load test before the holiday season",
}

_CODY, _OCTO, _ADA, _CHIDI, _MEI, _RAFAEL, _PRIYA, _TOM = (person.login for person in PEOPLE)

ISSUES = (
    *_issues(
        _STOREFRONT,
        ("Cart loses items after signing in", "Bug", "Done", ("bug", "customer"), (_CODY,)),
        ("Show delivery dates on the product page", "Feature", "Done", ("enhancement",), (_ADA,)),
        ("Search ignores umlauts and accents", "Bug", "Done", ("bug",), (_CODY,)),
        ("Product images are larger than the screen", "Task", "Done", ("performance",), (_OCTO,)),
        ("Filter by size and colour", "Feature", "Done", ("enhancement", "customer"), (_MEI,)),
        ("Checkout cannot be completed with the keyboard", "Bug", "Done", ("accessibility",), (_CODY,)),
        ("Replace the template engine of newsletters", "Task", "Done", ("tech debt",), (_OCTO,)),
        ("Wish lists that can be shared", "Feature", "In progress", ("enhancement",), (_CODY, _MEI)),
        ("Voucher field accepts expired codes", "Bug", "In review", ("bug",), (_ADA,)),
        ("First paint takes three seconds on slow phones", "Bug", "In progress", ("performance",), (_OCTO,)),
        ("Cookie banner hides the footer", "Bug", "Todo", ("bug", "accessibility"), ()),
        ("Recommend accessories in the cart", "Feature", "Todo", ("enhancement",), ()),
        ("Remember the chosen store", "Feature", "Todo", ("customer",), (_CODY,)),
        ("Dark colours for the account pages", "Feature", "Todo", ("enhancement",), ()),
        ("Typo in the confirmation e-mail", "Bug", "Done", ("bug", QUICK_FIX), (_CODY,)),
        ("Sale badge covers the product's name", "Bug", "Done", ("bug", QUICK_FIX), (_ADA,)),
        ("Sitemap lists deleted products", "Bug", "Done", ("bug", QUICK_FIX), (_OCTO,)),
        ("Postcode with a space is refused", "Bug", "Done", ("bug", "customer", QUICK_FIX), (_CODY,)),
    ),
    *_issues(
        _PAYMENTS,
        ("Refunds fail for split payments", "Bug", "Done", ("bug", "customer"), (_CHIDI,)),
        ("Invoices with the customer's VAT number", "Feature", "Done", ("enhancement",), (_CHIDI,)),
        ("Retry a bank's timeout without charging twice", "Bug", "Done", ("bug",), (_RAFAEL,)),
        ("Rotate the keys of the payment provider", "Task", "Done", ("security",), (_TOM,)),
        ("Round tax per line, not per invoice", "Bug", "Done", ("bug", "customer"), (_CODY,)),
        ("Direct debit for business customers", "Feature", "In progress", ("enhancement",), (_CHIDI,)),
        ("Export of bookings for the tax adviser", "Feature", "Done", ("customer",), (_PRIYA,)),
        ("Remove the old ledger tables", "Task", "Done", ("tech debt",), (_RAFAEL,)),
        ("Chargebacks are counted twice in the report", "Bug", "In review", ("bug",), (_CODY,)),
        ("Webhook signature is not compared in constant time", "Bug", "Done", ("security",), (_TOM,)),
        ("Instalments for orders above 500 EUR", "Feature", "Todo", ("enhancement",), (_RAFAEL,)),
        ("Reminder before a card expires", "Feature", "Todo", ("customer",), ()),
        ("Wrong decimal sign on Swiss invoices", "Bug", "Done", ("bug", "customer", QUICK_FIX), (_CHIDI,)),
        ("Receipt shows the wrong shop address", "Bug", "Done", ("bug", QUICK_FIX), (_CODY,)),
        ("Refund e-mail names no order", "Bug", "Done", ("customer", QUICK_FIX), (_RAFAEL,)),
        ("Bank holidays are missing in the due date", "Bug", "Done", ("bug", QUICK_FIX), (_CHIDI,)),
    ),
    *_issues(
        _MOBILE,
        ("App crashes when the camera is denied", "Bug", "Done", ("bug",), (_MEI,)),
        ("Sign in with a fingerprint", "Feature", "Done", ("enhancement", "security"), (_MEI,)),
        ("Push messages arrive twice", "Bug", "Done", ("bug", "customer"), (_RAFAEL,)),
        ("Order history without a connection", "Feature", "In progress", ("enhancement",), (_MEI,)),
        ("Screen reader skips the price", "Bug", "Done", ("accessibility",), (_ADA,)),
        ("Update the build to the new SDK", "Task", "Done", ("tech debt",), (_RAFAEL,)),
        ("Barcode scanner for returns", "Feature", "In progress", ("customer",), (_RAFAEL,)),
        ("Scrolling stutters in long lists", "Bug", "Done", ("performance",), (_OCTO,)),
        ("Tablet layout for the catalogue", "Feature", "Done", ("enhancement",), (_ADA,)),
        ("Large text cuts off buttons", "Bug", "Todo", ("accessibility",), (_MEI,)),
        ("Widget with the parcel's location", "Feature", "Todo", ("enhancement",), ()),
        ("Icon is blurred on tablets", "Bug", "Done", ("bug", QUICK_FIX), (_MEI,)),
        ("Swipe deletes without asking", "Bug", "Done", ("bug", "customer", QUICK_FIX), (_MEI,)),
        ("Crash report contains no version", "Bug", "Done", ("bug", QUICK_FIX), (_RAFAEL,)),
    ),
    *_issues(
        _INFRASTRUCTURE,
        ("Database failover takes nine minutes", "Bug", "Done", ("performance",), (_TOM,)),
        ("Alarm when the certificate expires", "Task", "Done", ("security",), (_TOM,)),
        ("Preview environments for pull requests", "Feature", "Done", ("enhancement",), (_PRIYA,)),
        ("Nightly backup was not encrypted", "Bug", "Done", ("security",), (_PRIYA,)),
        ("Halve the time of the build pipeline", "Task", "In progress", ("performance",), (_TOM,)),
        ("Move the queues to the new region", "Task", "Done", ("tech debt",), (_CHIDI,)),
        ("Log retention differs between services", "Bug", "Done", ("tech debt",), (_PRIYA,)),
        ("Load test before the holiday season", "Task", "In progress", ("performance",), (_PRIYA, _CODY)),
        ("Costs of each service on a dashboard", "Feature", "In review", ("enhancement",), (_TOM,)),
        ("Deploy without a maintenance page", "Feature", "Todo", ("customer",), ()),
        ("Delete unused machine images", "Task", "Todo", ("tech debt",), (_PRIYA,)),
        ("Disk of the build server is full", "Bug", "Done", ("bug", QUICK_FIX), (_TOM,)),
        ("Staging shows yesterday's data", "Bug", "Done", ("bug", QUICK_FIX), (_PRIYA,)),
        ("Alarm at night for a test server", "Bug", "Done", ("bug", QUICK_FIX), (_TOM,)),
    ),
    *_issues(
        _HANDBOOK,
        ("First week of a new colleague", "Task", "Done", ("documentation",), (_ADA,)),
        ("How to answer a security report", "Task", "Done", ("documentation", "security"), (_TOM,)),
        ("On-call rota for the holidays", "Task", "Done", (), (_OCTO,)),
        ("Glossary of accounting terms", "Task", "Done", ("documentation",), (_CHIDI,)),
        ("Checklist for accessible pages", "Task", "In progress", ("accessibility",), (_ADA,)),
        ("Weekly planning", "Task", "In progress", (), (_CODY, _OCTO, _ADA, _CHIDI)),
        ("Travel expenses: which receipts count", "Task", "Todo", ("documentation",), ()),
        ("Template for incident reviews", "Task", "Todo", ("documentation",), (_OCTO,)),
        ("Interview questions for the design role", "Task", "Done", (), (_ADA,)),
        ("Remove links to the old wiki", "Bug", "Done", ("documentation", "tech debt"), (_RAFAEL,)),
        ("Phone list has a wrong number", "Bug", "Done", ("documentation", QUICK_FIX), (_ADA,)),
        ("Photo of the new office", "Task", "Done", (QUICK_FIX,), (_OCTO,)),
    ),
)
