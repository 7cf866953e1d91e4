"""Figures in documents and in template.yaml are those that were measured last, or that the template has."""

import re
from pathlib import Path

import pytest

from deployed_stack.paths import ROOT
from tests.support.template import template

COST = (ROOT / "docs/cost.md").read_text()
BEFORE, MEASURED, AFTER = re.split("<!-- cost -->|<!-- end -->", COST)
# An amount of dollars, such as `$0.40` or `7 dollars`.
AMOUNT = re.compile(r"\$(\d[\d,]*(?:\.\d+)?)|\b(\d+) dollars")
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
DOCUMENTS = [
    ROOT / "template.yaml",
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *sorted(path for path in (ROOT / "docs").rglob("*.md") if path.name != "cost.md"),
]
WORDS = {1: "one", 2: "two", 10: "ten", 11: "eleven", 12: "twelve", 13: "thirteen", 14: "fourteen"}


def number(text: str) -> float:
    return float(text.replace(",", ""))


def amounts(text: str) -> set[float]:
    return {number(dollars or words) for dollars, words in AMOUNT.findall(text)}


def measured(row: str) -> str:
    """Return the dollars a month of ten people in a row of the costs, in words of a sentence."""
    (cells,) = re.findall(rf"^\| (?:\*\*)?{re.escape(row)}(?:\*\*)? \|(.*)\|$", MEASURED, re.MULTILINE)
    dollars = number(NUMBER.findall(cells)[0])
    return "less than 1" if dollars < 1 else f"{dollars:.0f}"


def test_the_readme_has_the_measured_costs() -> None:
    listed, free = measured("list prices"), measured("after what is free each month")
    sentence = f"costs about {listed} dollars a month at list prices, and {free} after AWS's free allowances"
    assert sentence in " ".join((ROOT / "README.md").read_text().split())


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_each_amount_of_dollars_is_one_of_the_costs(path: Path) -> None:
    known = amounts(COST) | {number(text) for text in NUMBER.findall(MEASURED) if "." in text}
    assert amounts(path.read_text()) <= known | {round(dollars) for dollars in known}


def cell(row: str) -> float:
    """Return the number in the second column of a row that begins with a text."""
    (text,) = re.findall(rf"^\| {re.escape(row)}[^|]*\| ([\d.,]+) \|", MEASURED, re.MULTILINE)
    return number(text)


def price(what: str) -> float:
    """Return a list price in dollars, for its unit."""
    (dollars,) = re.findall(rf"^\|[^|]*\| {re.escape(what)} \| ([\d.e-]+) \|", MEASURED, re.MULTILINE)
    return float(dollars)


def test_the_costs_in_sentences_are_those_of_the_tables() -> None:
    sentences = " ".join((BEFORE + AFTER).split())
    days = cell("working days a month")
    connections = cell("live connections of a person a day")
    minutes = cell("minutes a day in which a person's widget is visible")
    minutes += connections * cell("minutes for which a connection stays open")
    minutes *= days * (1 - cell("share of the time in which a visible widget cannot"))
    connected = minutes * price("WebSocket connection minutes") / 1e6
    assert f"${connected:.4f} for its minutes" in sentences
    alarms = cell("metrics that the template's alarms read") * price("metrics of alarms")
    assert f"alarms (${alarms:.2f})" in sentences
    dashboard, polls = f"${price('dashboards'):.0f}", f"${cell('SQS'):.2f}"
    assert f"the fourth ({dashboard}), and Lambda's polls of its three queues ({polls})" in sentences
    polled, live = (
        number(NUMBER.findall(cells)[-1])
        for cells in re.findall(
            r"^\| (?:all widgets poll|\*\*live connections\*\*) \|(.*)\|$", MEASURED, re.MULTILINE
        )
    )
    assert f"The polls that it replaces cost about ${polled - live:.2f}" in sentences


def test_the_documents_have_the_numbers_of_alarms_their_metrics_and_secrets() -> None:
    alarms = template().of_type("AWS::CloudWatch::Alarm")
    secrets = template().of_type("AWS::SecretsManager::Secret")
    (metrics,) = re.findall(
        r"^\| metrics that the template's alarms read, .*\| (\d+) \|$", COST, re.MULTILINE
    )
    assert f"{metrics} metrics in {WORDS[len(alarms)]} alarms" in COST
    assert f"| {WORDS[len(secrets)]} secret" in COST
    decision = (ROOT / "docs/decisions/0016-metrics-and-alarms.md").read_text()
    rows = re.findall(r"^\| (\w+Alarm) .*\| (\d+) \|$", decision, re.MULTILINE)
    assert {name for name, _ in rows} == set(alarms)
    assert sum(int(count) for _, count in rows) == int(metrics)
    assert f"{metrics} metrics in alarms cost" in decision


def test_the_sizes_are_those_of_all_packages_and_of_a_release() -> None:
    (sizes,) = re.findall(
        "<!-- package-size -->(.*?)<!-- end -->", (ROOT / "docs/performance.md").read_text(), re.DOTALL
    )
    zipped_kb = sum(map(float, re.findall(r"([\d.]+) \|$", sizes, re.MULTILINE)))
    upgrades = (ROOT / "docs/decisions/0009-upgrades.md").read_text()
    assert f"A release takes {zipped_kb / 1024:.0f} MB" in upgrades
    packages = [
        *template().of_type("AWS::Serverless::Function"),
        *template().of_type("AWS::Serverless::LayerVersion"),
    ]
    assert re.findall(r"^\| (\w+) \| \d", sizes, re.MULTILINE) == sorted(packages)
