"""Every page in real Chromium: nothing on the console, nothing the content policy had to stop, live and in both languages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from releaser.domain.rollout import ROLLOUT_MOVES, RolloutState
from releaser.flows.ports import Ports
from releaser.store import moves
from releaser.store.rollouts import Rollout
from tests.fakes.history_world import HistoryWorld
from tests.needs import program
from tests.web import story
from tests.web.conftest import Served
from tests.web.test_history import HISTORY, MATRIX, TICKET
from tests.web.test_pages import PAGES

ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
NARROW, WIDE = 360, 1280
SCREENS: list[tuple[Literal["light", "dark"], int]] = [("light", WIDE), ("dark", NARROW)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = program("chromium", of="chromium")
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield made
        made.close()


class Watched:
    """A page, with everything that went wrong on it and every host it asked."""

    def __init__(self, context: BrowserContext, served: Served) -> None:
        self.page: Page = context.new_page()
        self.address = served.address
        self.wrong: list[str] = []
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", self._asked)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.wrong.append(message.text)

    def _asked(self, request: object) -> None:
        url = getattr(request, "url", "")
        if not url.startswith((self.address, "data:")):
            self.wrong.append(f"asked {url}")

    def open(self, path: str) -> Page:
        self.page.goto(self.address + path)
        return self.page


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(viewport={"width": WIDE, "height": 800}, timezone_id="Europe/Moscow", locale="en-GB")
    yield made
    made.close()


@pytest.fixture
def watched(context: BrowserContext, served: Served) -> Watched:
    return Watched(context, served)


def test_every_page_opens_cleanly_wide_and_narrow_light_and_dark(watched: Watched) -> None:
    for path in PAGES:
        page = watched.open(path)
        for scheme, width in SCREENS:
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": 800})
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, f"{path} is {wide} wide on a screen of {width}"
        page.set_viewport_size({"width": WIDE, "height": 800})
    assert watched.wrong == []


def test_long_names_without_blanks_do_not_break_the_layout(
    context: BrowserContext, make_ports: Callable[..., Ports]
) -> None:
    ports = make_ports()
    with ports.database.transaction() as session:
        story.tell(session, hostile="x" * 200)
    with Served(ports) as served:
        watched = Watched(context, served)
        whole = [path for path in PAGES if not path.endswith(("/live", "/releases"))]
        for path in whole:
            page = watched.open(path)
            for width in (WIDE, NARROW):
                page.set_viewport_size({"width": width, "height": 800})
                wide = page.evaluate("document.documentElement.scrollWidth")
                assert wide <= width, f"{path} is {wide} wide on a screen of {width}"
        assert watched.wrong == []


def test_focus_is_visible_on_every_stop_of_the_keyboard(watched: Watched) -> None:
    page = watched.open("/")
    outlined = "getComputedStyle(document.activeElement).outlineStyle === 'solid'"
    for _ in range(12):
        page.keyboard.press("Tab")
        assert page.evaluate(outlined), page.evaluate("document.activeElement.outerHTML")


def test_language_is_switched_and_stays(watched: Watched) -> None:
    page = watched.open("/")
    expect(page.locator("h1")).to_have_text("What runs where")
    page.get_by_role("link", name="Русский").click()
    expect(page.locator("h1")).to_have_text("Что где работает")
    page.get_by_role("link", name="Плановые работы").first.click()
    expect(page.locator("h1")).to_have_text("Плановые работы")
    assert watched.wrong == []


def test_zone_of_the_browser_is_used_from_the_second_page_on(watched: Watched) -> None:
    watched.open("/")
    page = watched.open("/rollouts/3")
    expect(page.locator("footer.bottom")).to_contain_text("Europe/Moscow")
    expect(page.locator(".facts")).to_contain_text("12:28")


def test_rollout_page_follows_the_rollout(watched: Watched, ports: Ports) -> None:
    page = watched.open("/rollouts/3")
    expect(page.locator("h1 + .state")).to_have_text("running")
    expect(page.locator("#line")).to_have_text("live")
    with ports.database.transaction() as session:
        rollout = session.get_one(Rollout, 3)
        moves.move(
            session, rollout, RolloutState.PAUSED, moves=ROLLOUT_MOVES, now=story.NOW, by="olga", reason="a look"
        )
    expect(page.locator("h1 + .state")).to_have_text("paused")
    with ports.database.transaction() as session:
        rollout = session.get_one(Rollout, 3)
        moves.move(session, rollout, RolloutState.STOPPING, moves=ROLLOUT_MOVES, now=story.NOW, by="olga")
        moves.move(session, rollout, RolloutState.ABORTED, moves=ROLLOUT_MOVES, now=story.NOW, by="olga")
    expect(page.locator("h1 + .state")).to_have_text("aborted")
    expect(page.locator("#log")).to_contain_text("a look")
    assert watched.wrong == []


def test_older_releases_are_shown_below(watched: Watched, ports: Ports) -> None:
    with ports.database.transaction() as session:
        story.many_releases(session, 70)
    page = watched.open("/products/portal")
    rows = page.locator("#releases").locator("xpath=ancestor::section").locator("tbody th")
    expect(rows).to_have_count(30)
    page.get_by_role("link", name="Show older releases").click()
    expect(rows).to_have_count(60)
    page.get_by_role("link", name="Show older releases").click()
    expect(rows).to_have_count(75)
    assert watched.wrong == []


def test_pages_are_whole_without_scripts(browser: Browser, served: Served) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{served.address}/rollouts/3")
    expect(page.locator(".target")).to_have_count(3)
    assert page.locator("noscript meta[http-equiv=refresh]").count() == 1
    context.close()


@pytest.fixture(scope="module")
def history_served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service over a product with a real history; nobody changes it."""
    world = HistoryWorld(tmp_path_factory.mktemp("history"))
    world.many_lines(40)
    with Served(world.ports) as made:
        yield made
    world.close()


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.getAttribute('aria-label') ?? ''")).partition(",")[0]


def test_history_pages_open_cleanly_wide_and_narrow_light_and_dark(
    context: BrowserContext, history_served: Served
) -> None:
    watched = Watched(context, history_served)
    for path in [HISTORY, MATRIX, TICKET, "/products/shop/upgrade?from=1.1.1&to=1.2"]:
        page = watched.open(path)
        for scheme, width in SCREENS:
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": 800})
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, f"{path} is {wide} wide on a screen of {width}"
        page.set_viewport_size({"width": WIDE, "height": 800})
    assert watched.wrong == []


def test_releases_are_reached_and_opened_by_keyboard(context: BrowserContext, history_served: Served) -> None:
    watched = Watched(context, history_served)
    page = watched.open("/products/shop/history?from=2025-06-01&to=2026-03-02")
    # One stop of the Tab key: the newest release of the uppermost line that has one.
    stops = page.locator("a.dot[tabindex='0']")
    expect(stops).to_have_count(1)
    page.locator(".zooms a").last.focus()
    seen = []
    for _ in range(60):
        page.keyboard.press("Tab")
        seen.append(focused(page))
        if page.evaluate("document.activeElement.classList.contains('dot')"):
            break
    assert page.evaluate("document.activeElement.classList.contains('dot')"), seen
    page.locator("a.dot[href$='/releases/1.1']").focus()
    for key, expected in [
        ("ArrowRight", "1.1.1-rc.1"),
        ("ArrowRight", "1.1.1"),
        ("ArrowRight", "1.1.1"),
        ("ArrowUp", "1.2"),
        ("ArrowDown", "1.1.1"),
        ("Home", "1.1"),
        ("ArrowLeft", "1.1"),
        ("ArrowDown", "1.0.1"),
        ("ArrowLeft", "1.0"),
        ("End", "1.0.1"),
    ]:
        page.keyboard.press(key)
        assert focused(page) == expected, key
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    expect(stops).to_have_count(1)
    page.keyboard.press("Enter")
    page.wait_for_url("**/releases/1.0.1")
    assert watched.wrong == []


def test_part_of_time_is_changed_by_keyboard_and_kept_in_the_address(
    context: BrowserContext, history_served: Served
) -> None:
    watched = Watched(context, history_served)
    page = watched.open("/products/shop/history")
    before = page.locator("#window").inner_text()
    page.keyboard.press("+")
    expect(page.locator("#window")).not_to_have_text(before)
    closer = page.locator("#window").inner_text()
    assert "from=" in page.url
    page.keyboard.press("-")
    expect(page.locator("#window")).not_to_have_text(closer)
    page.keyboard.press("0")
    expect(page.locator(".zooms [data-key='0']")).to_have_count(0)
    page.go_back()
    expect(page.locator(".zooms [data-key='0']")).to_have_count(1)
    page.locator(".filters input[name=from]").focus()
    page.keyboard.press("ArrowUp")
    assert watched.wrong == []


def test_history_is_whole_without_scripts(browser: Browser, history_served: Served) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{history_served.address}/products/shop/history?from=2025-06-01&to=2026-03-02")
    before = page.locator("#window").inner_text()
    page.locator(".zooms [data-key='+']").click()
    expect(page.locator("#window")).not_to_have_text(before)
    page.goto(f"{history_served.address}/products/shop/matrix")
    page.get_by_label("said by a person").check()
    page.get_by_role("button", name="Show").click()
    expect(page.locator(".matrix tbody tr")).to_have_count(1)
    assert "only=overridden" in page.url
    page.locator(".matrix td a").nth(1).click()
    expect(page.locator("#line-1\\.1")).to_be_visible()
    context.close()


def test_headings_of_the_matrix_stay_in_sight(context: BrowserContext, history_served: Served) -> None:
    watched = Watched(context, history_served)
    page = watched.open("/products/shop/matrix?lines=all")
    page.set_viewport_size({"width": NARROW, "height": 500})
    page.evaluate("document.querySelector('.tall').scrollTo(300, 120)")
    box = page.locator(".tall").bounding_box()
    head = page.locator(".matrix thead th").nth(1).bounding_box()
    name = page.locator(".matrix tbody th").nth(3).bounding_box()
    assert box is not None
    assert head is not None
    assert name is not None
    assert abs(head["y"] - box["y"]) < 3
    assert abs(name["x"] - box["x"]) < 3
