"""The pages of a product's history and their twins in the API: lines in time, tickets by lines, one ticket's evidence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from releaser.store import products
from tests.fakes.history_world import HistoryWorld
from tests.fakes.shared_app import AppOver
from tests.web.test_pages import ATTACKS, Seen

HISTORY = "/products/shop/history"
MATRIX = "/products/shop/matrix"
TICKET = "/products/shop/tickets/SHOP-1"
PAGES = [
    HISTORY,
    f"{HISTORY}?from=2026-02-01&to=2026-02-20",
    f"{HISTORY}?offset=1",
    MATRIX,
    f"{MATRIX}?lines=all&only=gaps&only=overridden&status=affected&status=fixed&q=SHOP&from=1.0&to=1.2&column=1",
    TICKET,
    "/products/shop/tickets/SHOP-2",
    "/products/shop/tickets/SHOP-9",
    "/products/shop",
    "/products/shop/lines",
    "/products/shop/releases/1.1",
]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HistoryWorld]:
    made = HistoryWorld(tmp_path_factory.mktemp("history"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def client(world: HistoryWorld) -> Iterator[TestClient]:
    with TestClient(AppOver(world.ports), base_url="http://127.0.0.1", raise_server_exceptions=False) as made:
        yield made


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[HistoryWorld]:
    """A world of one's own, to change."""
    made = HistoryWorld(tmp_path)
    yield made
    made.close()


def text_of(client: TestClient, path: str, *, language: str = "en") -> str:
    answer = client.get(path, headers={"Accept-Language": language, "Accept": "text/html"})
    assert answer.status_code == 200, answer.text
    return answer.text


@pytest.mark.parametrize("language", ["en", "ru"])
@pytest.mark.parametrize("path", PAGES)
def test_page_is_shown_in_the_readers_language(client: TestClient, path: str, language: str) -> None:
    text = text_of(client, path, language=language)
    assert text.count("<h1") == 1
    seen = Seen()
    seen.feed(text)
    assert seen.wrong == []
    assert bool(re.search("История|Обращения", text)) is (language == "ru")


def test_text_of_others_is_never_markup(tmp_path: Path) -> None:
    world = HistoryWorld(tmp_path, hostile=" ".join(ATTACKS))
    world.remote.branch("<svg/onload=alert(1)>", world.ids["next"])
    world.remote.tag("<b>v9</b>", world.ids["next"])
    with TestClient(AppOver(world.ports), base_url="http://127.0.0.1") as client:
        for path in PAGES:
            seen = Seen()
            seen.feed(text_of(client, path))
            assert seen.wrong == [], path
            assert "Shop49" not in seen.text
    world.close()


def labels(text: str) -> list[str]:
    return re.findall(r'<a class="dot[^>]*aria-label="([^"]+)"', text)


def test_releases_stand_on_their_lines_newest_line_first(client: TestClient) -> None:
    text = text_of(client, HISTORY)
    names = re.findall(r'<li><a href="[^"]*line=([^#]+)#releases">', text)
    assert names == ["1.2", "1.1", "1.0"]
    told = labels(text)
    assert [one.partition(",")[0] for one in told] == ["1.2", "1.1", "1.1.1-rc.1", "1.1.1", "1.0", "1.0.1"]
    assert told[2].startswith("1.1.1-rc.1, candidate, published")
    assert told[5].startswith("1.0.1, patch, yanked")
    assert 'href="/products/shop/releases/1.1.1-rc.1"' in text


def test_branch_points_ends_of_support_and_today_are_marked(client: TestClient, world: HistoryWorld) -> None:
    text = text_of(client, HISTORY)
    for name in ("base", "search", "undo"):
        assert f"Branched off at {world.ids[name][:10]}" in text
    assert "Supported until 1 April 2026" in text
    assert ">today<" in text
    assert ">main<" in text


def test_part_of_time_shows_its_releases_and_leads_on(client: TestClient) -> None:
    text = text_of(client, f"{HISTORY}?from=2025-11-01&to=2026-01-31")
    assert [one.partition(",")[0] for one in labels(text)] == ["1.2", "1.1.1-rc.1", "1.1.1"]
    addresses = re.findall(r'href="(/products/shop/history\?from=[^"]+)" hx-get', text)
    assert len(addresses) == 5
    for address in addresses:
        text_of(client, address.replace("&amp;", "&"))


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{HISTORY}?from=&to=", 200),
        (f"{HISTORY}?from=0001-01-01&to=9999-12-31", 200),
        (f"{HISTORY}?from=2031-01-01", 200),
        (f"{HISTORY}?from=yesterday", 422),
        (f"{HISTORY}?from=2026-02-01&to=2026-01-01", 422),
        (f"{HISTORY}?offset=-1", 422),
        (f"{HISTORY}?offset=77", 200),
        ("/products/nobody/history", 404),
        ("/products/nobody/matrix", 404),
        (f"{MATRIX}?status=great", 422),
        (f"{MATRIX}?from=9.9", 404),
        (f"{MATRIX}?from=<script>", 422),
        (f"{MATRIX}?from=1.2&to=1.0", 200),
        (f"{MATRIX}?column=77&offset=77", 200),
        (f"{MATRIX}?only=nothing", 200),
        ("/products/shop/tickets/SHOP-404", 404),
    ],
)
def test_nonsense_in_an_address_is_told(client: TestClient, path: str, status: int) -> None:
    answer = client.get(path, headers={"Accept": "text/html"})
    assert answer.status_code == status
    assert "</html>" in answer.text


def test_history_of_a_thousand_lines_stays_small(fresh: HistoryWorld) -> None:
    fresh.many_lines(1_000)
    with TestClient(AppOver(fresh.ports), base_url="http://127.0.0.1") as client:
        for path in (HISTORY, f"{HISTORY}?from=2006-01-01&to=2026-03-02", f"{HISTORY}?from=2026-02-25&to=2026-03-02"):
            text = text_of(client, path)
            assert len(text) < 100_000
            assert text.count("data-track") <= 25
        # The newest has a track, the 1,006 others are counted on the trunk and on the lines' own tracks.
        everything = text_of(client, f"{HISTORY}?from=2006-01-01&to=2026-03-02")
        counted = sum(int(n) for n in re.findall(r'several"[^>]*aria-label="(\d+) release', everything))
        single = len(labels(everything)) - len(re.findall(r'dot several" ', everything))
        assert counted + single == 1_006


def cells(text: str, key: str) -> list[str]:
    """What stands in the cells of a ticket, without tags."""
    row = re.search(rf'<tr><th scope="row"><a [^>]*>{key}</a>.*?</tr>', text, re.DOTALL)
    assert row is not None, key
    found = re.findall(r'<td class="cell[^"]*">(.*?)</td>', row[0], re.DOTALL)
    return [" ".join(re.sub(r"<[^>]+>", " ", cell).split()) for cell in found]


def test_matrix_tells_every_status_by_a_sign_and_a_word(client: TestClient) -> None:
    text = text_of(client, MATRIX)
    assert cells(text, "SHOP-1") == [
        "✓ 1.2 fixed",
        "✕ affected ≠ the evidence says: fixed",
        "✓✓ verified ✎ said by a person",
    ]
    assert cells(text, "SHOP-2") == ["✕ affected", "✓ 1.1 fixed", "? unknown"]
    assert cells(text, "SHOP-3") == ["✓ fixed", "? unknown", "? unknown"]
    assert cells(text, "SHOP-4") == ["? unknown"] * 3
    assert cells(text, "SHOP-9") == ["✕ affected", "✕ affected", "○ unaffected"]
    assert "planned for 2.0" in text
    assert f'href="{TICKET}#line-1.1" title="SHOP-1, 1.1: affected · olga: It still shrinks.' in text


def keys(text: str) -> list[str]:
    return re.findall(r'<tr><th scope="row"><a [^>]*>([^<]+)</a>', text)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["SHOP-9", "SHOP-3", "SHOP-4", "SHOP-2", "SHOP-1"]),
        ("status=affected", ["SHOP-9", "SHOP-2", "SHOP-1"]),
        ("status=affected&to=1.1&from=1.1", ["SHOP-9", "SHOP-1"]),
        ("status=unaffected&status=verified", ["SHOP-9", "SHOP-1"]),
        ("q=shop-3", ["SHOP-3"]),
        ("q=basket", ["SHOP-9"]),
        ("only=gaps", ["SHOP-3", "SHOP-2", "SHOP-1"]),
        ("only=overridden", ["SHOP-1"]),
        ("only=conflicts&from=1.1", ["SHOP-1"]),
        ("only=conflicts&from=1.2", []),
        ("by=olga", ["SHOP-1"]),
        ("by=nobody", []),
        ("offset=3", ["SHOP-2", "SHOP-1"]),
    ],
)
def test_matrix_shows_what_is_looked_for(client: TestClient, query: str, expected: list[str]) -> None:
    assert keys(text_of(client, f"{MATRIX}?{query}")) == expected


def test_matrix_is_looked_through_by_pages_of_lines(client: TestClient) -> None:
    text = text_of(client, f"{MATRIX}?column=1")
    assert re.findall(r'<th scope="col"><a [^>]*>([^<]+)</a>', text) == ["1.1", "1.0"]
    assert 'column=0" rel' not in text
    assert re.search(r'rel="prev" href="[^"]*column=0', text)


def test_form_keeps_what_was_looked_for(client: TestClient) -> None:
    text = text_of(client, f"{MATRIX}?q=%22%3E%3Cb%3E&only=gaps&status=fixed&from=1.0&lines=patched&by=olga")
    assert 'name="q" value="&#34;&gt;&lt;b&gt;"' in text
    for expected in [
        'value="gaps" checked',
        'value="fixed" checked',
        'value="patched" selected',
        'value="olga" selected',
    ]:
        assert expected in text


def test_ticket_page_tells_why_on_every_line(client: TestClient, world: HistoryWorld) -> None:
    text = text_of(client, TICKET)
    for expected in [
        'id="line-1.1"',
        "olga: It still shrinks.",
        "the evidence says: fixed",
        "olga: Tried by hand.",
        f'the commit itself <a class="code" href="#commit-{world.ids["fix"][:10]}"',
        f'copy of <a class="code" href="#commit-{world.ids["fix"][:10]}">{world.ids["fix"][:10]}</a>: its message says so',
        "says that it fixes it",
        "What people said",
    ]:
        assert expected in text
    taken_back = text_of(client, "/products/shop/tickets/SHOP-2")
    assert f"taken back by {world.ids['undo'][:10]}" in taken_back
    landed = text_of(client, "/products/shop/tickets/SHOP-3")
    assert "landed, not released yet" in landed
    assert "in no release yet" in landed
    found = text_of(client, "/products/shop/tickets/SHOP-9")
    for expected in ["found in 1.1, the first that has it", "older than the first version that has the fault"]:
        assert expected in found


def test_ticket_page_stands_without_the_repository(fresh: HistoryWorld) -> None:
    with fresh.database.transaction() as session:
        products.get(session, "shop").fingerprint = ""
    with TestClient(AppOver(fresh.ports), base_url="http://127.0.0.1") as client:
        text = text_of(client, TICKET)
        assert "cannot be read now" in text
        assert "olga: It still shrinks." in text
        assert labels(text_of(client, HISTORY))
        assert client.get(MATRIX).status_code == 403


def test_api_tells_the_same_as_the_pages(client: TestClient, world: HistoryWorld) -> None:
    history = client.get(f"/v1{HISTORY}").json()
    assert [track["line"] for track in history["tracks"]] == ["1.2", "1.1", "1.0"]
    assert history["tracks"][0]["branched"]["commit"] == world.ids["undo"]
    first = client.get(f"/v1{MATRIX}?limit=2").json()
    assert [one["key"] for one in first["tickets"]] == ["SHOP-9", "SHOP-3"]
    second = client.get(first["next"]).json()
    assert [one["key"] for one in second["tickets"]] == ["SHOP-4", "SHOP-2"]
    evidence = client.get("/v1/tickets/SHOP-1/evidence").json()
    assert {one["line"]: one["status"] for one in evidence["lines"]} == {
        "1.2": "fixed",
        "1.1": "affected",
        "1.0": "verified",
    }
    pick = next(one for one in evidence["commits"] if one["commit"] == world.ids["pick"])
    assert pick["picked_from"] == [{"commit": world.ids["fix"], "layer": "trailer", "is_here": True}]
    assert (pick["relation"], pick["new_in"]) == ("fixes", ["1.0.1"])


def test_people_say_something_over_the_api(fresh: HistoryWorld) -> None:
    with TestClient(AppOver(fresh.ports), base_url="http://127.0.0.1") as client:
        word = {"line": "1.2", "status": "wontfix", "reason": "Nobody sells there."}
        answer = client.post("/v1/tickets/SHOP-2/override", json=word, headers={"X-Releaser-Actor": "ivan"})
        assert (answer.status_code, answer.json()["by"]) == (200, "ivan")
        assert cells(text_of(client, MATRIX), "SHOP-2")[0] == "– will not be fixed ✎ said by a person"
        assert client.post("/v1/tickets/SHOP-2/override", json={**word, "reason": ""}).status_code == 422
        assert client.post("/v1/tickets/SHOP-2/override", json={**word, "line": "8.8"}).status_code == 404
        back = {"line": "1.2", "reason": "We do."}
        assert client.post("/v1/tickets/SHOP-2/withdraw-override", json=back).status_code == 200
        assert client.post("/v1/tickets/SHOP-2/withdraw-override", json=back).status_code == 404
        assert cells(text_of(client, MATRIX), "SHOP-2")[0] == "✕ affected"
        found = {"version": "1.0", "is_first": False}
        assert client.post("/v1/tickets/SHOP-4/found-in", json=found).json()["found_in"] == "1.0"
        assert cells(text_of(client, MATRIX), "SHOP-4") == ["✕ affected"] * 3
        assert client.post("/v1/tickets/SHOP-4/found-in", json={"version": None}).json()["found_in"] is None
        assert client.post("/v1/tickets/SHOP-4/planned-for", json={"version": "1.0"}).status_code == 403


def test_branches_with_the_fix_are_named_so_on_the_tickets_page(client: TestClient) -> None:
    assert "Branches that have the fix now:" in text_of(client, TICKET)
    assert "Ветки, на которых исправление есть сейчас:" in text_of(client, f"{TICKET}?lang=ru")
