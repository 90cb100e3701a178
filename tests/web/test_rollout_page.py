"""The page of a rollout: what is next and who may do it, why it waits, its pieces and its log, small whatever its size."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import text, update
from sqlalchemy.orm import Session

from releaser.domain.rollout import (
    ENDED,
    ROLLOUT_MOVES,
    UPDATE_MOVES,
    PauseReason,
    RolloutState,
    UpdateState,
    WaitsFor,
    WaveState,
)
from releaser.domain.steering import Steer, steering
from releaser.flows.pause_rollout import pause_rollout
from releaser.flows.ports import Ports
from releaser.flows.resume_rollout import resume_rollout
from releaser.i18n import translator
from releaser.store import moves
from releaser.store.base import Base
from releaser.store.rollouts import Rollout, TargetUpdate, Wave
from releaser.store.session import Database
from releaser.web.api.following import followed
from releaser.web.pages.rollout_words import _ENDED_BY, _NEXT, _RANKS, _WAITS, next_of, rank_of
from tests.fakes.bare_ports import bare_ports
from tests.fakes.clock import FakeClock
from tests.fakes.shared_app import AppOver
from tests.web import story
from tests.web.conftest import ADDRESS, Served
from tests.web.test_events import Event, Stream
from tests.web.test_pages import ATTACKS, Seen

LARGE = 500


@pytest.fixture
def large(make_ports: Callable[..., Ports]) -> Ports:
    """The story, with a running rollout (4) of five hundred targets with long names in two waves."""
    ports = make_ports("told")
    with ports.database.transaction() as session:
        made = _copies(
            session,
            "installations",
            LARGE,
            {"name": "'site-' || n", "title": "'Филиал ' || n || ' ' || hex(zeroblob(30))"},
        )
        targets = _copies(session, "targets", LARGE, {"installation_id": f"n + {made}"})
        third = session.get_one(Rollout, 3)
        large = Rollout(**{c.key: getattr(third, c.key) for c in Rollout.__mapper__.column_attrs if c.key != "id"})
        session.add(large)
        session.flush()
        for number, state in ((1, WaveState.RUNNING), (2, WaveState.PENDING)):
            session.add(Wave(rollout_id=large.id, number=number, state=state, started_at=story.NOW))
        for n in range(1, LARGE + 1):
            update = TargetUpdate(
                rollout_id=large.id, target_id=targets + n, wave=1 if n <= 100 else 2, position=n, state=UpdateState.PENDING,
                desired={"version": "1.1.1"}, previous={"version": "1.1"}, steps=[], planned_stop_s=2.0,
            )  # fmt: skip
            session.add(update)
            session.flush()
            moves.record(session, update, source="", to="pending", now=story.NOW, by="olga")
    return ports


def _copies(session: Session, table: str, count: int, changed: dict[str, str]) -> int:
    """So many copies of a table's first row, some columns written anew out of the copy's number `n`; the id before theirs."""
    last = session.scalar(text(f"select max(id) from {table}"))  # noqa: S608 -- our own names
    names = [column.name for column in Base.metadata.tables[table].columns]
    values = [f"n + {last}" if name == "id" else changed.get(name, name) for name in names]
    numbers = f"with recursive numbers(n) as (select 1 union all select n + 1 from numbers where n < {count})"  # noqa: S608
    source = f"numbers, (select * from {table} order by id limit 1)"  # noqa: S608
    copied = f"{numbers} insert into {table} ({', '.join(names)}) select {', '.join(values)} from {source}"  # noqa: S608
    session.execute(text(copied))
    return int(last)


def in_state(ports: Ports, state: str, **values: str | None) -> None:
    """Put the story's running rollout in that state, whatever it is."""
    columns = "".join(f", {name} = :{name}" for name in values)
    with ports.database.transaction() as session:
        changed = f"update rollouts set state = :state{columns} where id = 3"  # noqa: S608 -- our own names
        session.execute(text(changed), {"state": state, **values})


@pytest.mark.parametrize("state", RolloutState)
def test_every_state_names_what_is_next_and_what_can_be_asked(
    client: TestClient, ports: Ports, state: RolloutState
) -> None:
    in_state(ports, state.value)
    page = client.get("/rollouts/3?lang=ru").text
    assert next_of(state.value, translator("ru")) in page
    assert re.search("[А-Яа-я]", next_of(state.value, translator("ru")))
    asked = set(re.findall(r'action="/rollouts/3/(\w+)"', page))
    assert asked == {one.value for one in steering(state.value)}
    assert ("data-stream" in page) == (state not in ENDED)


def test_what_can_be_asked_is_what_the_moves_allow() -> None:
    assert steering("running") == (Steer.PAUSE, Steer.ABORT)
    assert steering("paused") == (Steer.RESUME, Steer.ABORT)
    assert steering("awaiting_approval") == (Steer.APPROVE, Steer.ABORT)
    assert steering("failed") == (Steer.RETRY,)
    assert steering("failed", inconsistent=1) == ()
    assert steering("succeeded", left=1) == (Steer.RETRY,)
    assert steering("stopping") == steering("succeeded") == steering("quantum") == ()


def test_rollout_that_gave_way_to_one_that_was_aborted_asks_for_what_is_left(client: TestClient, ports: Ports) -> None:
    in_state(ports, "superseded", superseded_by_id="2")
    assert "a newer rollout took its place" in client.get("/rollouts/3").text
    with ports.database.transaction() as session:
        session.execute(text("update rollouts set state = 'aborted' where id = 2"))
    assert "What took its place was aborted" in client.get("/rollouts/3").text


@pytest.mark.parametrize("reason", PauseReason)
def test_pause_says_what_it_needs(client: TestClient, ports: Ports, reason: PauseReason) -> None:
    in_state(ports, "paused", pause_reason=reason.value)
    page = client.get("/rollouts/3").text
    assert next_of("paused", translator("en"), pause_reason=reason.value) in page
    assert "releaser rollout resume 3" in page


def test_resumed_rollout_says_who_let_it_go_on_and_why(client: TestClient, ports: Ports) -> None:
    pause_rollout(ports, rollout_id=3, by="rita")
    resume_rollout(ports, rollout_id=3, by="olga", reason="ok")
    assert "Resumed by olga: ok" in client.get("/rollouts/3").text
    assert "Продолжено, olga: ok" in client.get("/rollouts/3?lang=ru").text


def test_state_that_is_not_known_is_shown_by_its_name(client: TestClient, ports: Ports) -> None:
    in_state(ports, "quantum_leap", pause_reason="moon")
    with ports.database.transaction() as session:
        session.execute(
            text("update target_updates set state = 'dreaming', waits_for = 'full_moon' where rollout_id = 3")
        )
        session.execute(text("update waves set state = 'ebbing' where rollout_id = 3"))
    page = client.get("/rollouts/3").text
    for told in ["quantum leap", "dreaming", "full moon", "ebbing", "this page does not know what that asks for"]:
        assert told in page
    for path in ["/rollouts", "/rollouts?state=quantum_leap", "/rollouts/3/targets?show=wait", "/rollouts/3/log"]:
        assert client.get(path).status_code == 200, path


def test_every_word_of_the_table_is_translated() -> None:
    russian = translator("ru")
    for words in (_NEXT, _WAITS, _ENDED_BY, _RANKS):
        assert all(re.search("[А-Яа-я]", russian(word)) for word in words.values())
    assert {one.value for one in WaitsFor} <= _WAITS.keys()
    assert {rank_of(state.value) for state in UpdateState} <= _RANKS.keys()


def test_wait_says_for_what_since_when_until_when_and_who_ends_it(client: TestClient, ports: Ports) -> None:
    with ports.database.transaction() as session:
        update = session.query(TargetUpdate).filter_by(rollout_id=3, state=UpdateState.WAITING).one()
        update.waits_for = WaitsFor.OFFLINE
        update.waiting_since_at, update.deadline_at = story.NOW, story.NOW + story.days(3)
    page = client.get("/rollouts/3?lang=ru").text
    for told in [
        "1 цель ждёт: возвращения хоста",
        "с 21 ноября 2026",
        "не дольше чем до 24 ноября 2026",
        "эксплуатация вернёт хост",
    ]:
        assert told in page, told


class TestSteering:
    def test_button_pauses_with_name_and_reason_and_goes_back(self, client: TestClient, ports: Ports) -> None:
        answer = client.post("/rollouts/3/pause", data={"by": " Ольга ", "reason": "a look"}, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, "/rollouts/3")
        with ports.database.reading() as session:
            last = moves.history(session, "rollouts", 3)[-1]
        assert (last.to, last.by, last.reason) == ("paused", "Ольга", "a look")
        assert 'value="Ольга"' in client.get("/rollouts/3").text, "who asked is not asked again"

    @pytest.mark.parametrize("name", ["", "  ", "x" * 201, "a\x1b[31m"])
    def test_nobody_steers_without_a_name(self, client: TestClient, name: str) -> None:
        answer = client.post("/rollouts/3/pause", data={"by": name}, headers={"Accept": "text/html"})
        assert answer.status_code == 422
        assert "running" in client.get("/rollouts/3").text

    @pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
    def test_page_of_another_site_steers_nothing(self, client: TestClient, headers: dict[str, str]) -> None:
        assert client.post("/rollouts/3/abort", data={"by": "eve"}, headers=headers).status_code == 403

    def test_author_who_approves_is_refused_by_a_page(self, client: TestClient, ports: Ports) -> None:
        in_state(ports, "awaiting_approval")
        answer = client.post("/rollouts/3/approve", data={"by": "olga"}, headers={"Accept": "text/html"})
        assert answer.status_code == 403
        assert "cannot approve" in answer.text

    @pytest.mark.parametrize("what", ["dance", "live", "stream"])
    def test_what_cannot_be_asked_is_not_there(self, client: TestClient, what: str) -> None:
        assert client.post(f"/rollouts/3/{what}", data={"by": "olga"}).status_code in {404, 405, 422}


class TestLarge:
    def test_first_paint_is_small(self, large: Ports) -> None:
        with TestClient(AppOver(large), base_url=ADDRESS) as client:
            page = client.get("/rollouts/4")
            assert len(page.content) < 90_000
            assert page.text.count('class="target"') == 30, "a wave's card shows so many, the rest is behind a link"
            assert "0 of 500 targets done" in page.text
            assert page.text.count("<details open>") == 1
            assert client.get("/rollouts/4/waves/2").text.count('class="target"') == 30

    def test_every_target_is_reached_by_pages_and_found_by_name(self, large: Ports) -> None:
        with TestClient(AppOver(large), base_url=ADDRESS) as client:
            seen: list[str] = []
            address = "/rollouts/4/targets?wave=2"
            while address:
                page = client.get(address).text
                seen += re.findall(r'id="t-(\d+)"', page)
                following = re.search(r'rel="next" href="([^"]+)"', page)
                address = following[1].replace("&amp;", "&") if following else ""
            assert len(seen) == len(set(seen)) == 400
            assert client.get("/rollouts/4/targets?q=site-499").text.count('class="target"') == 1
            assert 'class="target"' not in client.get("/rollouts/4/targets?q=%25").text, (
                "a sign of the database is a sign"
            )

    def test_long_log_is_whole_by_pages(self, large: Ports) -> None:
        with TestClient(AppOver(large), base_url=ADDRESS) as client:
            lines, address = 0, "/rollouts/4/log"
            while address:
                page = client.get(address).text
                lines += page.count("<li class=")
                following = re.search(r'rel="next" href="([^"]+)"', page)
                address = following[1].replace("&amp;", "&") if following else ""
            assert lines == LARGE
            assert client.get("/rollouts/4/log?notable=1").text.count("<li class=") == 0


def test_rollouts_are_narrowed_by_their_address(client: TestClient) -> None:
    def shown(query: str) -> list[str]:
        return re.findall(r'href="/rollouts/(\d+)"', client.get(f"/rollouts{query}").text)

    assert shown("") == ["3", "2", "1"]
    assert shown("?state=open") == ["3"]
    assert shown("?state=failed") == ["2"]
    assert shown("?product=portal&q=1.1.1") == ["3"]
    assert shown("?q=nothing-like-it") == shown("?state=%22%3E%3Cscript%3E") == []
    assert 'value="open" selected' in client.get("/rollouts?state=open").text


def test_journal_of_a_target_tells_every_attempt(client: TestClient, ports: Ports) -> None:
    with ports.database.transaction() as session:
        update = session.query(TargetUpdate).filter_by(rollout_id=2).one()
        number, update.attempt = update.id, 2
    page = client.get(f"/rollouts/2/targets/{number}").text
    assert "Attempt 1" in page
    assert "stop the old one" in page
    assert "releaser rollout retry 2" in page
    assert client.get("/rollouts/1/targets/999").status_code == 404
    assert client.get(f"/rollouts/1/targets/{number}").status_code == 404, "it is another rollout's"


@pytest.fixture
def follow(served: Served) -> Iterator[Callable[..., Iterator[Event]]]:
    streams: list[Stream] = []

    def made(query: str = "", rollout: int = 3, **headers: str) -> Iterator[Event]:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        streams.append(Stream(served.port, f"/rollouts/{rollout}/stream{query}", given))
        return streams[-1].events()

    yield made
    for stream in streams:
        stream.close()


def advance(ports: Ports, to: UpdateState, reason: str = "") -> int:
    """Move the target of the running rollout that is cut over."""
    with ports.database.transaction() as session:
        update = session.query(TargetUpdate).filter_by(rollout_id=3, position=1).one()
        moves.move(session, update, to, moves=UPDATE_MOVES, now=story.NOW, by="releaser", reason=reason)
        return update.id


def test_stream_sends_only_the_pieces_that_changed(follow: Callable[..., Iterator[Event]], ports: Ports) -> None:
    events = follow()
    first = next(events)
    assert (first["event"], "id" in first) == ("pieces", True)
    assert {"head", "next", "waits", "consents", "facts", "wave-1-head", "wave-2-head"} == first["data"]["parts"].keys()
    number = advance(ports, UpdateState.VERIFYING)
    row = next(each for event in events for each in event["data"]["rows"])
    assert row[:3] == [number, 2, "work"]
    assert "verifying" in row[3]
    pause_rollout(ports, rollout_id=3, by="olga", reason="a look")
    paused = next(events)["data"]
    assert paused["rows"] == []
    assert {"head", "next"} <= paused["parts"].keys()
    assert not {"wave-1-head", "waits"} & paused["parts"].keys(), "what did not change is not sent"
    assert "a look" in paused["log"][0]
    assert paused["said"].startswith("Rollout: paused")


def test_page_that_lost_the_stream_is_told_what_it_missed(follow: Callable[..., Iterator[Event]], ports: Ports) -> None:
    seen = next(follow())["id"]
    number = advance(ports, UpdateState.VERIFYING)
    pause_rollout(ports, rollout_id=3, by="olga", reason="a look")
    for events in (follow(Last_Event_ID=seen), follow(f"?after={seen}")):
        told = next(events)
        assert int(told["id"]) > int(seen)
        assert number in [row[0] for row in told["data"]["rows"]]
        assert "a look" in "".join(told["data"]["log"])


def test_stream_ends_with_the_rollout(follow: Callable[..., Iterator[Event]], ports: Ports) -> None:
    assert [one["event"] for one in follow(rollout=1)] == ["pieces", "end"]
    events = follow()
    next(events)
    with ports.database.transaction() as session:
        rollout = session.get_one(Rollout, 3)
        moves.move(session, rollout, RolloutState.SUCCEEDED, moves=ROLLOUT_MOVES, now=story.NOW, by="releaser")
    last = list(events)[-1]
    assert (last["event"], last["data"]["state"]) == ("end", "succeeded")


def test_stream_speaks_the_readers_language_and_zone(follow: Callable[..., Iterator[Event]], ports: Ports) -> None:
    headers = {"Accept_Language": "ru", "Cookie": "zone=Asia%2FVladivostok"}
    events = follow(**headers)
    assert "19:28<" in next(events)["data"]["parts"]["facts"]
    resume_rollout(ports, rollout_id=3, by="olga")
    pause_rollout(ports, rollout_id=3, by="olga")
    assert "приостановлено" in next(events)["data"]["parts"]["head"]


def test_pieces_hold_nobodys_markup(make_ports: Callable[..., Ports]) -> None:
    ports = make_ports()
    with ports.database.transaction() as session:
        story.tell(session, hostile="".join(ATTACKS))
    with Served(ports) as served:
        stream = Stream(served.port, "/rollouts/3/stream?after=0")
        data = next(stream.events())["data"]
        advance(ports, UpdateState.ROLLING_BACK, reason="".join(ATTACKS))
        seen = "".join([*data["parts"].values(), *data["log"], *(row[3] for row in data["rows"])])
        later = next(stream.events())["data"]
        seen += "".join([*later["parts"].values(), *later["log"], *(row[3] for row in later["rows"])])
        stream.close()
    assert "alert(1)" in seen, "the text is shown"
    assert "\x1b" not in seen
    found = Seen()
    found.feed(seen)
    assert found.wrong == []


def test_followers_of_one_rollout_share_its_watch(ports: Ports, tmp_path: Path) -> None:
    app = FastAPI()
    with followed(app, ports, 3) as first, followed(app, ports, 3) as second:
        assert first is second
        first.look(now=True)
        at = first.number
        advance(ports, UpdateState.VERIFYING)
        second.look(now=True)
        assert [news.moves[0]["to"] for news in first.after(at) or ()] == ["verifying"]
        first.look(now=True)
        assert first.number == at + 1, "nothing new is no news"
    with followed(app, ports, 3) as third:
        assert third is not first, "what nobody follows is not kept"


def test_first_visit_is_in_one_zone_and_reasons_are_in_the_readers(
    client: TestClient, follow: Callable[..., Iterator[Event]], ports: Ports
) -> None:
    with ports.database.transaction() as session:
        update = session.query(TargetUpdate).filter_by(rollout_id=3, state=UpdateState.WAITING).one()
        update.reason = "the window opens 2026-11-21 21:00Z"
    given = {"Cookie": "zone=Europe%2FMoscow"}
    page = client.get("/rollouts/3").text
    assert "zone=UTC" in page
    assert "the window opens 21 November 2026, 21:00" in page
    assert "the window opens 22 November 2026, 00:00" in client.get("/rollouts/3", headers=given).text
    assert "09:28<" in next(follow("?zone=UTC", **given))["data"]["parts"]["facts"], "the page's own zone"
    assert "12:28<" in next(follow("?zone=Nowhere", **given))["data"]["parts"]["facts"]


def test_pages_ask_every_database_alike(database: Database, tmp_path: Path) -> None:
    with database.transaction() as session:
        story.tell(session)
    ports = bare_ports(database, tmp_path, clock=FakeClock(story.NOW), address=ADDRESS)
    with TestClient(AppOver(ports), base_url=ADDRESS) as client:
        for path in [
            "/rollouts",
            "/rollouts?state=open&q=1.1",
            "/rollouts/3",
            "/rollouts/3/waves/2",
            "/rollouts/3/targets?wave=2&show=wait&q=SEV",
            "/rollouts/3/targets/8",
            "/rollouts/3/log?notable=1",
        ]:
            answer = client.get(path)
            assert answer.status_code == 200, path
        assert 'id="t-8"' in client.get("/rollouts/3/targets?q=SEV").text, "small and capital letters alike"
    with followed(FastAPI(), ports, 3) as watch:
        watch.look(now=True)
        number = advance(ports, UpdateState.VERIFYING)
        watch.look(now=True)
        assert [news.targets for news in watch.after(1) or ()] == [{number}]


def test_what_soaks_and_what_is_paused_say_until_and_since_when(client: TestClient, ports: Ports) -> None:
    in_state(ports, "paused", pause_reason="gate")
    with ports.database.transaction() as session:
        session.get_one(Rollout, 3).paused_at = story.NOW
        session.execute(
            update(Wave)
            .where(Wave.rollout_id == 3, Wave.number == 2)
            .values(state=WaveState.SOAKING, soak_until_at=story.NOW + story.days(1))
        )
    page = client.get("/rollouts/3").text
    assert "Paused: needs a go-ahead · since 21 November 2026, 09:30" in page.replace(" – ", "")
    assert "watched until 22 November 2026, 09:30" in page
