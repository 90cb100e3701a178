"""The page of freezes in real Chromium: by keyboard alone, on a narrow screen, whatever others wrote."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from releaser.domain.update_freeze import FreezeScope
from releaser.flows.freeze_updates import freeze_updates
from releaser.flows.list_freezes import list_freezes
from releaser.flows.ports import Ports
from tests.needs import program
from tests.web import story
from tests.web.conftest import Served
from tests.web.test_browser import ARGUMENTS, NARROW


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = program("chromium", of="chromium")
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield made
        made.close()


def test_freeze_is_put_and_lifted_by_keyboard_on_a_narrow_screen(
    browser: Browser, served: Served, ports: Ports
) -> None:
    for starts_in in (0, 3):
        starts_at = story.NOW + timedelta(days=starts_in)
        freeze_updates(
            ports, scope=FreezeScope.ALL, name="", starts_at=starts_at, ends_at=starts_at + timedelta(days=9),
            reason="<b>" + "x" * 300, by="y" * 200,
        )  # fmt: skip
    context = browser.new_context(viewport={"width": NARROW, "height": 800}, locale="en-GB")
    page, wrong = context.new_page(), []
    page.on("console", lambda message: wrong.append(message.text) if message.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(f"{served.address}/freezes")
    summary = page.locator("#act-freeze summary")
    summary.focus()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("P")  # product
    page.locator("#act-freeze input[name=name]").fill("portal")
    page.locator("#act-freeze input[name=ends_at]").fill("2099-01-01T00:00")
    page.locator("#act-freeze input[name=reason]").fill("the year is closed")
    page.locator("#act-freeze input[name=by]").fill("rita")
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW
    page.keyboard.press("Enter")
    expect(page.locator("#freeze-3")).to_contain_text("Product portal")
    lift = page.locator("#freeze-3 details").first
    lift.locator("summary").focus()
    page.keyboard.press("Enter")
    assert lift.locator("input[name=by]").input_value() == "rita"
    lift.locator("input[name=reason]").fill("over sooner")
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW
    page.keyboard.press("Enter")
    expect(page.locator("section[aria-labelledby=past]")).to_contain_text("over sooner")
    assert {one["id"]: one["lifted_by"] for one in list_freezes(ports)}[3] == "rita"
    assert wrong == []
    context.close()
