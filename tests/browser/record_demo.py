"""Record the animation of the demo GitHub with the widget beside it for docs/screenshots.

pytest does not collect this file by default. Run ``pytest tests/browser/record_demo.py``.
The frames are screenshots of a local stack at given moments, shown for given durations, so that the duration
and the clocks in the animation do not depend on the speed of the machine.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from demo_github import team
from local_stack import LocalStack, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

FILE = Path(__file__).parents[2] / "docs/screenshots/demo.webp"
MAX_BYTES = 1_000_000
SIZE = (1300, 620)
# Frames are sharp on screens with more pixels, and a README is narrower than SIZE.
SCALE = 1.25
PERSON = team.PEOPLE[2]
FIRST, SECOND = 11, 12
# Headless browsers draw no pointer.
_POINTER = """() => {
  const pointer = document.createElement("div");
  pointer.id = "pointer";
  pointer.innerHTML = `<svg width="22" height="30" viewBox="0 0 22 30">
    <path d="M2 2v22l5.5-5 4 9 4-2-4-8.500h7.500z" fill="#000" stroke="#fff" stroke-width="2"/></svg>`;
  Object.assign(pointer.style, { position: "fixed", left: 0, top: 0, zIndex: 9999, pointerEvents: "none" });
  document.body.append(pointer);
  addEventListener("mousemove", ({ clientX, clientY }) => {
    pointer.style.transform = `translate(${clientX - 2}px, ${clientY - 2}px)`;
  }, true);
}"""


@dataclass
class Frame:
    image: Image.Image
    duration_ms: int


class Recorder:
    """A page whose screenshots become the frames of an animation; draws a pointer at the mouse's position."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.frames: list[Frame] = []
        self._at = (SIZE[0] * 0.55, SIZE[1] * 0.75)
        self.draw_pointer()

    def take(self, duration_ms: int) -> None:
        """Append a frame, or show the last one for longer if nothing has changed."""
        png = self.page.screenshot(animations="disabled", caret="hide")
        image = Image.open(io.BytesIO(png)).convert("RGB")
        if self.frames and self.frames[-1].image == image:
            self.frames[-1].duration_ms += duration_ms
        else:
            self.frames.append(Frame(image, duration_ms))

    def draw_pointer(self) -> None:
        """Add the pointer to the page, which has just been loaded."""
        self.page.evaluate(_POINTER)
        self.move_to(*self._at)

    def move_to(self, x: float, y: float) -> None:
        self.page.mouse.move(x, y)
        self._at = (x, y)

    def glide_to(self, target: Locator, *, steps: int = 7) -> None:
        """Move the pointer to the middle of an element in frames, slower at both ends."""
        box = target.bounding_box()
        assert box
        (from_x, from_y), (to_x, to_y) = (
            self._at,
            (box["x"] + box["width"] / 2, box["y"] + min(box["height"] / 2, 24)),
        )
        for step in range(1, steps + 1):
            share = step / steps
            eased = share * share * (3 - 2 * share)
            self.move_to(from_x + (to_x - from_x) * eased, from_y + (to_y - from_y) * eased)
            self.take(70)

    def press(self, target: Locator) -> None:
        self.glide_to(target)
        self.take(200)
        self.page.mouse.down()
        self.page.mouse.up()

    def save(self, path: Path) -> None:
        """Write the frames as an animation that repeats."""
        first, *rest = (frame.image for frame in self.frames)
        durations = [frame.duration_ms for frame in self.frames]
        first.save(path, save_all=True, append_images=rest, duration=durations, loop=0, quality=80, method=4)


@pytest.fixture
def page(tmp_path: Path, browser: Browser) -> Iterator[Page]:
    """The board of one repository, with the widget of a person who has just signed in."""
    with LocalStack(free_port(), tmp_path, with_demo_github=True) as stack:
        context = browser.new_context(
            base_url=stack.url,
            viewport={"width": SIZE[0], "height": SIZE[1]},
            device_scale_factor=SCALE,
            color_scheme="light",
            locale="en-GB",
            reduced_motion="reduce",
        )
        context.set_default_timeout(120_000)
        page = context.new_page()
        # Somebody else's assignment starts the functions, so that later deliveries are fast.
        page.goto("/demo/")
        show_timers_of(page, team.PEOPLE[-1])
        page.goto("/demo/octo-demo/infrastructure/issues/10")
        page.get_by_role("button", name=f"Assign {team.PEOPLE[-1].name}", exact=True).click()
        expect(page.locator("issue-timer [part~=clock]")).to_be_visible()
        page.locator(".people summary").click()
        show_timers_of(page, PERSON)
        page.goto("/demo/?repository=storefront")
        expect(page.locator("#connect")).to_be_hidden()
        page.wait_for_load_state("networkidle")
        yield page
        context.close()


def show_timers_of(page: Page, person: team.Person) -> None:
    page.get_by_role("button", name=f"{person.name} {person.login}").click()
    page.get_by_role("button", name=f"Show {person.name}’s timers").click()
    expect(page.locator("issue-timer")).to_be_visible()


def card(page: Page, number: int) -> Locator:
    return page.locator(f"#card-storefront-{number}")


def timer(page: Page, number: int) -> Locator:
    """Return the timer in the widget on an issue."""
    title = next(
        one.title for one in team.ISSUES if (one.repository.name, one.number) == ("storefront", number)
    )
    return page.locator("issue-timer [part~=timer]", has_text=title)


def show_seconds(recorder: Recorder, clock: Locator, first: int, last: int) -> None:
    """Record a clock's seconds."""
    for second in range(first, last + 1):
        expect(clock).to_have_text(re.compile(rf"00:00:{second:02}"))
        recorder.take(800)


def test_record_the_demo(page: Page) -> None:
    recorder = Recorder(page)
    first, second = timer(page, FIRST), timer(page, SECOND)
    recorder.take(1000)
    recorder.press(page.get_by_role("button", name=f"Assign me storefront #{FIRST}"))
    show_seconds(recorder, first.locator("[part~=clock]"), 1, 3)
    recorder.press(page.get_by_role("button", name=f"Assign me storefront #{SECOND}"))
    expect(first).to_contain_text("Waiting")
    show_seconds(recorder, second.locator("[part~=clock]"), 1, 3)
    recorder.press(card(page, SECOND).get_by_role("link"))
    close = page.get_by_role("button", name="Close issue")
    close.scroll_into_view_if_needed()
    expect(second).to_be_visible()
    recorder.draw_pointer()
    recorder.take(400)
    recorder.press(close)
    expect(second).to_have_count(0)
    recorder.take(1500)
    recorder.save(FILE)
    duration = sum(frame.duration_ms for frame in recorder.frames)
    assert 8_000 <= duration <= 12_000
    assert FILE.stat().st_size <= MAX_BYTES
