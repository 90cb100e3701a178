"""The live page of a rollout in real Chromium: it catches up by itself, and takes nothing from under its reader's hands."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from releaser.domain.rollout import UPDATE_MOVES, UpdateState
from releaser.flows.pause_rollout import pause_rollout
from releaser.flows.ports import Ports
from releaser.flows.resume_rollout import resume_rollout
from releaser.store import moves
from releaser.store.rollouts import TargetUpdate
from tests.needs import program
from tests.web import story
from tests.web.conftest import Served
from tests.web.test_browser import ARGUMENTS, NARROW
from tests.web.test_events import SERVICE

CATCHES_UP_MS = 40_000
"""A busy machine starts a service in many seconds."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = program("chromium", of="chromium")
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield made
        made.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": NARROW, "height": 800}, locale="en-GB")
    yield context.new_page()
    context.close()


def verify(ports: Ports) -> None:
    """The target that is cut over is looked at."""
    with ports.database.transaction() as session:
        update = session.query(TargetUpdate).filter_by(rollout_id=3, position=1).one()
        moves.move(session, update, UpdateState.VERIFYING, moves=UPDATE_MOVES, now=story.NOW, by="releaser")


def wait_until_up(port: int) -> None:
    for _ in range(400):
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.1)
    raise TimeoutError(port)


def test_page_catches_up_by_itself_after_the_service_was_killed_and_started_anew(page: Page, ports: Ports) -> None:
    port = Served(ports).port
    command = [sys.executable, "-c", SERVICE, str(ports.database.file), str(port)]
    service = subprocess.Popen(command)
    try:
        wait_until_up(port)
        page.goto(f"http://127.0.0.1:{port}/rollouts/3")
        expect(page.locator("#line")).to_have_text("live", timeout=CATCHES_UP_MS)
        page.evaluate("window.sameDocument = true")
        service.kill()
        service.wait()
        expect(page.locator("#line")).to_contain_text("connection lost", timeout=CATCHES_UP_MS)
        verify(ports)
        pause_rollout(ports, rollout_id=3, by="olga", reason="while it was away")
        service = subprocess.Popen(command)
        expect(page.locator("h1 + .state")).to_have_text("paused", timeout=CATCHES_UP_MS)
        expect(page.locator("#log")).to_contain_text("while it was away")
        expect(page.locator("#wave-2-rows .target .state").first).to_have_text("verifying")
        expect(page.locator("#line")).to_have_text("live")
        assert page.evaluate("window.sameDocument"), "it did not load anew"
    finally:
        service.kill()
        service.wait()


def test_what_is_being_written_and_where_the_reader_is_stays(page: Page, served: Served, ports: Ports) -> None:
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(f"{served.address}/rollouts/3")
    expect(page.locator("#line")).to_have_text("live", timeout=CATCHES_UP_MS)
    # By keyboard: open the form, write.
    page.locator("#act-abort summary").focus()
    page.keyboard.press("Enter")
    page.locator("#act-abort input[name=by]").fill("olga")
    page.locator("#act-abort input[name=reason]").press_sequentially("it is too")
    page.locator("#wave-1 summary").click()
    page.locator("#wave-2-rows .target a").first.focus()
    verify(ports)
    expect(page.locator("#wave-2-rows .target .state").first).to_have_text("verifying")
    assert page.evaluate("document.activeElement.closest('.target') !== null"), "the focus stays where it was"
    pause_rollout(ports, rollout_id=3, by="ivan", reason="a look")
    expect(page.locator("h1 + .state")).to_have_text("paused")
    expect(page.locator("#act-resume")).to_be_attached()
    expect(page.locator("#act-abort")).to_have_attribute("open", "")
    assert page.locator("#act-abort input[name=reason]").input_value() == "it is too"
    assert page.locator("#wave-1 details").get_attribute("open") is None, "what was closed stays closed"
    expect(page.locator("#said")).to_contain_text("paused", timeout=CATCHES_UP_MS)
    page.locator("#act-abort button").click()
    expect(page.locator("h1 + .state")).to_have_text("stopping")
    expect(page.locator("#log")).to_contain_text("it is too")
    assert wrong == []


def test_buttons_work_without_scripts(browser: Browser, served: Served, ports: Ports) -> None:
    context = browser.new_context(java_script_enabled=False, locale="ru")
    page = context.new_page()
    page.goto(f"{served.address}/rollouts/3")
    page.locator("#act-pause summary").click()
    page.locator("#act-pause input[name=by]").fill("Ольга")
    page.locator("#act-pause button").click()
    expect(page.locator("h1 + .state")).to_have_text("приостановлено")
    resume_rollout(ports, rollout_id=3, by="olga")
    page.reload()
    expect(page.locator("h1 + .state")).to_have_text("идёт")
    context.close()
