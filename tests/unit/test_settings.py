"""The functions' environment variables, in the code and in template.yaml."""

import os

import pytest
import yaml

from tests.support.table import TEMPLATE, TemplateLoader
from timer_core.settings import Settings


class _Environment(dict[str, str]):
    """An environment that records which variables are read."""

    def __init__(self, **variables: str) -> None:
        super().__init__(variables)
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.read.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: str = "") -> str:  # type: ignore[override]
        self.read.add(name)
        return super().get(name, default)


def _settings(monkeypatch: pytest.MonkeyPatch, **variables: str) -> tuple[Settings, _Environment]:
    environment = _Environment(TABLE_NAME="timers", **variables)
    monkeypatch.setattr(os, "environ", environment)
    return Settings.from_environment(), environment


def test_the_settings_read_the_variables_of_the_template(monkeypatch: pytest.MonkeyPatch) -> None:
    source = yaml.load(TEMPLATE.read_text(), Loader=TemplateLoader)  # noqa: S506
    functions = [
        *(one["Properties"] for one in source["Resources"].values() if one["Type"].endswith("::Function")),
        source["Globals"]["Function"],
    ]
    written = {name for one in functions for name in one.get("Environment", {}).get("Variables", {})}
    _, environment = _settings(monkeypatch)
    # The logger reads these itself.
    written -= {name for name in written if name.startswith("POWERTOOLS_")}
    assert environment.read == written


@pytest.mark.parametrize(
    ("api_url", "host"),
    [
        ("https://api.github.com", "github.com"),
        ("https://api.octo-corp.ghe.com", "octo-corp.ghe.com"),
        ("http://127.0.0.1:4580", "127.0.0.1"),
    ],
)
def test_the_address_of_the_api_names_githubs_server(
    monkeypatch: pytest.MonkeyPatch, api_url: str, host: str
) -> None:
    settings, _ = _settings(monkeypatch, GITHUB_API_URL=api_url)
    assert settings.github_host == host


def test_the_table_name_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", _Environment())
    with pytest.raises(KeyError, match="TABLE_NAME"):
        Settings.from_environment()


def test_names_are_separated_by_commas_and_stripped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings, _ = _settings(monkeypatch, ALLOWED_ORGS=" octo-org,,Other-Org ,", ALLOWED_ORIGINS="")
    assert (settings.allowed_orgs, settings.allowed_origins) == (("octo-org", "Other-Org"), ())


def test_logins_labels_and_statuses_are_lower_cased(monkeypatch: pytest.MonkeyPatch) -> None:
    settings, _ = _settings(
        monkeypatch, ADMIN_LOGINS="Boss,#583231", START_LABELS="Bug", START_STATUSES="Doing, In Review"
    )
    assert settings.admins == {"boss", "#583231"}
    assert settings.triggers.start_labels == {"bug"}
    assert settings.triggers.start_statuses == {"doing", "in review"}
