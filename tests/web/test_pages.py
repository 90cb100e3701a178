from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum
from html.parser import HTMLParser

import pytest
from fastapi.testclient import TestClient

from releaser.domain.notice import DeliveryState, NoticeImpact, NoticeState
from releaser.domain.release import ReleaseState
from releaser.domain.request import CloseReason, TicketState
from releaser.domain.rollout import PauseReason, RolloutState, StepState, UpdateState, WaitsFor, WaveState
from releaser.domain.target import Stop
from releaser.domain.version import VersionKind
from releaser.flows.ports import Ports
from releaser.i18n import translator
from releaser.web.app import create_app
from releaser.web.pages.words import _WORDS, tone_of, word_of
from tests.web import story

PAGES = [
    "/",
    "/products/portal",
    "/products/portal?line=1.1",
    "/products/portal?offset=3",
    "/products/portal/lines",
    "/products/portal/releases",
    "/products/portal/releases/1.1",
    "/products/portal/releases/1.0.1",
    "/products/portal/releases/1.2",
    "/products/portal/tickets/PRT-12",
    "/products/portal/tickets/PRT-9",
    "/rollouts",
    "/rollouts/1",
    "/rollouts/2",
    "/rollouts/3",
    "/rollouts/3/live",
    "/notices",
    "/notices/1",
    "/notices/2",
    "/notices/3",
]
FEEDS = ["/products/portal/feed.atom", "/products/portal/feed.json", "/notices.ics"]
ATTACKS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'--></title><svg/onload=alert(1)>",
    "[a](javascript:alert(1)) ![b](https://evil.example/x.png) <b>c</b>",
    "{{ 7 * 7 }}{% for x in () %}",
    "\u202e\x1b[31m\x07]]>&lt;script&gt;",
]


class Seen(HTMLParser):
    """A page as a browser reads it, and whatever in it could only have come from somebody's text."""

    TAGS = frozenset(
        [
            "html",
            "head",
            "meta",
            "title",
            "link",
            "script",
            "body",
            "a",
            "header",
            "div",
            "img",
            "nav",
            "main",
            "footer",
            "span",
            "h1",
            "h2",
            "h3",
            "p",
            "section",
            "aside",
            "table",
            "thead",
            "tbody",
            "tr",
            "th",
            "td",
            "ul",
            "ol",
            "li",
            "dl",
            "dt",
            "dd",
            "time",
            "svg",
            "rect",
            "strong",
            "em",
            "code",
            "pre",
            "noscript",
            "details",
            "summary",
            "blockquote",
            "br",
            "hr",
        ]
    )

    def __init__(self) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.TAGS:
            self.wrong.append(tag)
        for name, value in attrs:
            address = (value or "").strip().lower()
            if name.startswith("on") or name == "style":
                self.wrong.append(f"{tag} {name}")
            elif name == "src" and not address.startswith("/static/"):
                self.wrong.append(f"{tag} {name}={address}")
            elif name in {"href", "hx-get", "data-events"} and not address.startswith(("/", "#")):
                if address.startswith("https://") and "nofollow" in (dict(attrs).get("rel") or ""):
                    continue  # a link that somebody wrote in Markdown
                self.wrong.append(f"{tag} {name}={address}")

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("language", ["en", "ru"])
@pytest.mark.parametrize("path", PAGES)
def test_page_is_shown_in_the_readers_language(client: TestClient, path: str, language: str) -> None:
    answer = client.get(path, headers={"Accept-Language": language})
    assert answer.status_code == 200
    assert answer.headers["content-language"] == language
    assert answer.text.count("<h1") == (0 if path.endswith("/releases") else 1)
    if language == "ru":
        visible = re.sub(r"<[^>]+>", " ", answer.text)
        assert re.search("[А-Яа-я]", visible)


@pytest.mark.parametrize("path", ["/", "/rollouts", "/notices", "/notices.ics"])
def test_empty_service_shows_how_to_begin(make_ports: Callable[..., Ports], path: str) -> None:
    with TestClient(create_app(make_ports()), base_url="http://127.0.0.1") as client:
        assert client.get(path).status_code == 200


@pytest.mark.parametrize("attack", ATTACKS)
def test_text_of_others_is_never_markup(make_ports: Callable[..., Ports], attack: str) -> None:
    ports = make_ports()
    with ports.database.transaction() as session:
        story.tell(session, hostile=attack)
    with TestClient(create_app(ports), base_url="http://127.0.0.1") as client:
        for path in PAGES:
            seen = Seen()
            seen.feed(client.get(path).text)
            assert seen.wrong == [], path
            assert "Portal49" not in seen.text, path
        for path in FEEDS:
            answer = client.get(path)
            assert answer.status_code == 200, path
            if path.endswith(".atom"):
                assert "<script" not in answer.text


def test_release_page_tells_notes_tickets_changelog_and_places(client: TestClient) -> None:
    text = client.get("/products/portal/releases/1.1").text
    for expected in [
        "exported as a spreadsheet</strong>",
        "PRT-12",
        "Acme, production",
        "renew the base image",
        "No action is needed",
    ]:
        assert expected in text
    assert "Отчёты можно" in client.get("/products/portal/releases/1.1?lang=ru").text


def test_customers_own_request_is_not_told_on_the_release_page(client: TestClient) -> None:
    text = client.get("/products/portal/releases/1.1").text
    assert "Sign-in fails" not in text
    assert "Sign-in fails" in client.get("/products/portal/tickets/PRT-12").text


def test_ticket_page_tells_the_whole_thread(client: TestClient) -> None:
    text = client.get("/products/portal/tickets/PRT-12").text
    for expected in [
        "seen on 1.0",
        "Accept the new password",
        ">1.1</a>",
        "A changed password is accepted",
        "Runs at 3 of 4 installations",
        "since 12 November 2026",
    ]:
        assert expected in text


def test_yanked_release_says_why(client: TestClient) -> None:
    assert "logs everybody out" in client.get("/products/portal/releases/1.0.1").text


def test_first_page_marks_what_moves(client: TestClient) -> None:
    text = client.get("/").text
    assert 'href="/rollouts/3">→ 1.1.1' in text
    assert "newest of its line" in text


def test_product_page_shows_trains_with_their_numbers(client: TestClient) -> None:
    text = client.get("/products/portal").text
    for expected in [
        "1 December 2026",
        "15 December 2026",
        ">1.3<",
        ">1.4<",
        "security fixes only",
        "until 31 January 2027",
    ]:
        assert expected in text


def test_rollout_page_tells_waves_steps_waiting_and_stops(client: TestClient) -> None:
    text = client.get("/rollouts/3").text
    for expected in [
        "Wave 2",
        "stop old",
        "Waits for: the window to open",
        "measured 0.38 s",
        'data-events="/v1/rollouts/3/events"',
    ]:
        assert expected in text
    over = client.get("/rollouts/1").text
    assert "data-events" not in over
    assert "http-equiv" not in over


def test_notices_are_told_as_now_coming_and_past(client: TestClient) -> None:
    text = client.get("/notices").text
    places = [text.index(word) for word in ["Portal 1.1.1: update", "Portal 1.2: update", "Portal 1.1: update"]]
    assert places == sorted(places)
    assert "2.2 s" in text


def test_notice_page_shows_no_addresses(client: TestClient) -> None:
    assert "@acme.example" not in client.get("/notices/1").text
    assert client.get("/v1/notices/1/deliveries").json()["items"][0]["address"] == "operations@acme.example"


def test_calendar_has_an_entry_per_notice(client: TestClient) -> None:
    answer = client.get("/notices.ics")
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    assert answer.text.count("BEGIN:VEVENT") == 4
    assert "X-MAINTNOTE-STATUS:IN-PROCESS" in answer.text


def test_feed_lists_published_releases(client: TestClient) -> None:
    answer = client.get("/products/portal/feed.atom")
    assert answer.headers["content-type"].startswith("application/atom+xml")
    assert answer.text.count("<entry>") == 4
    assert (
        client.get("/products/portal/feed.json").json()["items"][0]["url"].endswith("/products/portal/releases/1.1.1")
    )


def test_long_history_is_shown_by_pages(make_ports: Callable[..., Ports]) -> None:
    ports = make_ports("told")
    with ports.database.transaction() as session:
        story.many_releases(session, 1_128)
    with TestClient(create_app(ports), base_url="http://127.0.0.1") as client:
        page = client.get("/products/portal")
        assert len(page.content) < 60_000
        assert "1133 releases" in page.text
        seen, address = 0, "/products/portal/releases?offset=0"
        while address:
            rows = client.get(address).text
            seen += rows.count('scope="row"')
            following = re.search(r'hx-get="([^"]+)"', rows)
            address = following[1].replace("&amp;", "&") if following else ""
        assert seen == 1_133
        assert client.get("/products/portal/lines?offset=1120").text.count('scope="row"') == 10


STATES: list[type[StrEnum]] = [
    ReleaseState, RolloutState, WaveState, UpdateState, StepState, NoticeState, DeliveryState, TicketState, CloseReason,
    WaitsFor, PauseReason, Stop, NoticeImpact, VersionKind,
]  # fmt: skip


@pytest.mark.parametrize("state", [member for kind in STATES for member in kind], ids=str)
def test_every_state_has_a_word_in_both_languages(state: StrEnum) -> None:
    assert state.value in _WORDS
    assert re.search("[А-Яа-я]", word_of(state.value, translator("ru")))
    assert tone_of(state.value) in {"good", "busy", "wait", "bad", "calm"}
