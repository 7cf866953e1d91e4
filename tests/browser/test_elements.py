"""Elements that are built anew are merged into those that are shown. No stack is needed for these tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deployed_stack.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page, Route

ORIGIN = "http://localhost:4570"


def serve_file(route: Route) -> None:
    path = route.request.url.removeprefix(ORIGIN)
    if path == "/":
        route.fulfill(body="<!doctype html><title>Elements</title><p></p>", content_type="text/html")
    else:
        route.fulfill(path=ROOT / f"web{path}", content_type="text/javascript")


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with browser.new_context() as context:
        context.route("**", serve_file)
        page = context.new_page()
        page.goto(f"{ORIGIN}/")
        yield page


def test_an_action_runs_once_although_its_button_is_built_anew_meanwhile(page: Page) -> None:
    runs = page.evaluate(
        """async () => {
          const { named, setChildren } = await import("/page/elements.js");
          const parent = document.querySelector("p");
          let runs = 0;
          let finish;
          // The part of `onAction` that ignores presses while an action runs.
          const build = () => {
            const button = document.createElement("button");
            button.title = "old";
            button.onclick = async ({ currentTarget }) => {
              if (currentTarget.ariaBusy === "true") return;
              currentTarget.ariaBusy = "true";
              runs += 1;
              await new Promise((resolve) => { finish = resolve; });
              currentTarget.ariaBusy = "false";
            };
            return named("confirm", button);
          };
          const [button] = setChildren(parent, [build()]);
          button.click();
          const [same] = setChildren(parent, [build()]);
          same.click();
          const whileBusy = runs;
          finish();
          await null;
          await null;
          setChildren(parent, [build()]);
          parent.firstChild.click();
          return { whileBusy, afterwards: runs, isSame: same === button };
        }"""
    )
    assert runs == {"whileBusy": 1, "afterwards": 2, "isSame": True}


def test_other_attributes_are_those_of_the_new_element(page: Page) -> None:
    html = page.evaluate(
        """async () => {
          const { named, setChildren } = await import("/page/elements.js");
          const parent = document.querySelector("p");
          for (const attributes of [{ title: "old", hidden: true }, { lang: "de" }]) {
            setChildren(parent, [named("one", Object.assign(document.createElement("b"), attributes))]);
          }
          return parent.innerHTML;
        }"""
    )
    assert html == '<b data-name="one" lang="de"></b>'
