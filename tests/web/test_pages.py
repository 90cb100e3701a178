from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum
from html.parser import HTMLParser
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from releaser.domain.history import Standing
from releaser.domain.notice import DeliveryState, NoticeImpact, NoticeState
from releaser.domain.release import ReleaseState
from releaser.domain.request import CloseReason, TicketState
from releaser.domain.rollout import PauseReason, RolloutState, StepState, UpdateState, WaitsFor, WaveState
from releaser.domain.target import Stop
from releaser.domain.version import VersionKind
from releaser.flows.ports import Ports
from releaser.i18n import translator
from releaser.store import overview
from releaser.store.commits import Commit, ReleaseCommit, TicketCommit
from releaser.store.releases import Release
from releaser.store.rollouts import Rollout
from releaser.web.pages.reasons import reason_of
from releaser.web.pages.shown import Say, inert
from releaser.web.pages.words import _WORDS, tone_of, word_of
from releaser.web.reader import Reader
from tests.fakes.shared_app import AppOver
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
    "/rollouts/3/targets?wave=2&show=wait&q=sev",
    "/rollouts/2/targets/5",
    "/rollouts/3/log",
    "/rollouts?state=open&q=1.1",
    "/freezes",
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
            "datalist",
            *("form", "label", "input", "select", "option", "fieldset", "legend", "button", "kbd"),
            *("g", "line", "path", "circle", "text"),
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
            elif name in {"href", "hx-get", "data-stream", "data-whole", "action"} and not address.startswith(
                ("/", "#")
            ):
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
    with TestClient(AppOver(make_ports()), base_url="http://127.0.0.1") as client:
        assert client.get(path).status_code == 200


@pytest.mark.parametrize("attack", ATTACKS)
def test_text_of_others_is_never_markup(make_ports: Callable[..., Ports], attack: str) -> None:
    ports = make_ports()
    with ports.database.transaction() as session:
        story.tell(session, hostile=attack)
    with TestClient(AppOver(ports), base_url="http://127.0.0.1") as client:
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
        "2 installations",
        "renew the base image",
        "No action is needed",
    ]:
        assert expected in text
    assert "Acme" not in text  # who runs it is not everybody's business
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


def stands_as(session: Session, version: str, standing: Standing, *, reverted_by: str = "") -> None:
    """Every commit that is new in a release stands there like that."""
    release = session.scalars(select(Release).where(Release.version == version)).one()
    for row in session.scalars(select(ReleaseCommit).where(ReleaseCommit.release_id == release.id)):
        row.standing, row.reverted_by = standing, reverted_by


@pytest.mark.parametrize(
    ("standing", "reverted_by", "expected"),
    [
        (Standing.SHOWN, "", {"PRT-12": False, "PRT-15": False}),
        (Standing.SHOWN, "f" * 40, {"PRT-12": True, "PRT-15": True}),
        (Standing.REVERT, "", {"PRT-12": True, "PRT-15": True}),
        (Standing.REVERTED, "", {}),
        (Standing.REPEATED, "", {}),
    ],
)
def test_release_has_the_tickets_it_brought_and_marks_those_taken_back_elsewhere(
    client: TestClient, ports: Ports, standing: Standing, reverted_by: str, expected: dict[str, bool]
) -> None:
    with ports.database.transaction() as session:
        stands_as(session, "1.1", standing, reverted_by=reverted_by)
    with ports.database.reading() as session:
        release = session.scalars(select(Release).where(Release.version == "1.1")).one()
        found = {one["key"]: one["reverted"] for one in overview.tickets_of(session, release)}
    assert found == expected
    page = client.get("/products/portal/releases/1.1").text
    assert page.count(">reverted<") == sum(expected.values())


def test_merge_does_not_bring_a_ticket_whose_commits_were_taken_back(ports: Ports) -> None:
    with ports.database.transaction() as session:
        stands_as(session, "1.0.1", Standing.REVERTED)
        release = session.scalars(select(Release).where(Release.version == "1.0.1")).one()
        merge = Commit(
            product_id=release.product_id,
            sha="e" * 40,
            place=999,
            author="dev@example.com",
            authored_at=story.NOW,
            committed_at=story.NOW,
            subject="Merge PRT-9",
            release_set=release.id,
            is_merge=True,
        )
        session.add(merge)
        session.flush()
        session.add(TicketCommit(commit_id=merge.id, ticket="PRT-9", product_id=release.product_id, relation="refs"))
        session.add(ReleaseCommit(release_id=release.id, commit_id=merge.id, position=7))
        session.flush()
        assert overview.tickets_of(session, release) == []


def yank(ports: Ports, *versions: str) -> None:
    with ports.database.transaction() as session:
        for release in session.scalars(select(Release).where(Release.version.in_(versions))):
            release.state = ReleaseState.YANKED


def test_newest_of_a_line_is_one_that_was_not_withdrawn(ports: Ports) -> None:
    with ports.database.reading() as session:
        newest = {one["line"]: one["newest"] for one in overview.lines(session, 1, limit=9)}
    assert [newest["1.1"]["version"], newest["1.0"]["version"]] == ["1.1.1", "1.0"]
    yank(ports, "1.1.1", "1.1")
    with ports.database.reading() as session:
        newest = {one["line"]: one["newest"] for one in overview.lines(session, 1, limit=9)}
    assert (newest["1.1"]["version"], newest["1.1"]["state"]) == ("1.1.1", "yanked")


def test_line_without_any_standing_release_is_marked(client: TestClient, ports: Ports) -> None:
    yank(ports, "1.1.1", "1.1")
    lines = client.get("/products/portal/lines").text
    assert re.search(r">1\.1\.1</a> <span[^>]*>yanked<", lines)


def test_installation_that_runs_a_withdrawn_release_is_never_the_newest(client: TestClient, ports: Ports) -> None:
    yank(ports, "1.1.1")
    found = {one["name"]: one for one in running(ports)}
    assert (found["acme-test"]["yanked"], found["acme-test"]["newest"], found["acme-test"]["patch"]) == (
        True,
        True,
        None,
    )
    page = client.get("/").text
    assert re.search(r'state bad">yanked<', page)
    yank(ports, "1.0", "1.0.1")
    assert {one["name"] for one in running(ports) if one["yanked"]} == {"acme-test", "globex"}


def running(ports: Ports) -> list[dict[str, Any]]:
    with ports.database.reading() as session:
        return overview.running(session)


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
        "stop the old one",
        "Waits for: the window to open",
        "measured 0.38 s",
        'data-stream="/rollouts/3/stream?after=',
    ]:
        assert expected in text
    over = client.get("/rollouts/1").text
    assert "data-stream" not in over
    assert "http-equiv" not in over


@pytest.mark.parametrize(("rollout", "tone"), [(1, "good"), (2, "bad")])
def test_reason_of_a_rollout_stands_in_the_tone_of_its_end(
    client: TestClient, ports: Ports, rollout: int, tone: str
) -> None:
    with ports.database.transaction() as session:
        session.get_one(Rollout, rollout).reason = "every wave succeeded"
    page = client.get(f"/rollouts/{rollout}?lang=ru").text
    assert f'<p class="flag {tone}">все волны прошли успешно' in page


def test_reason_with_numbers_is_told_in_the_readers_language() -> None:
    reason = "2 of 3 targets of wave 1 failed, 0 may"
    assert reason_of(reason, translator("ru")) == "Волна 1: неудач 2 из 3, допустимо 0"
    assert reason_of("disk is full", translator("ru")) == "disk is full"


@pytest.mark.parametrize(
    ("planned", "measured", "expected"),
    [
        (0.0, 0.0, "no stop"),
        (0.0, None, "no stop is planned"),
        (3.0, None, "planned 3 s"),
        (3.0, 0.0, "planned 3 s, measured 0 s"),
        (0.0, 0.4, "planned 0 s, measured 0.40 s"),
    ],
)
def test_stop_of_nothing_is_no_stop(planned: float, measured: float | None, expected: str) -> None:
    say = Say(Reader(t=translator("en"), zone="UTC"))
    assert say.stop(planned, measured) == expected


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
    with TestClient(AppOver(ports), base_url="http://127.0.0.1") as client:
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


def test_text_that_steers_or_turns_is_shown_inert() -> None:
    assert inert("a\x1b[31mb\u202ec\u2066d\x9be\tf\ng") == "a\ufffd[31mb\ufffdc\ufffdd\ufffde\tf\ng"
    assert inert(7) == 7
