from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from releaser.domain.consent import Agreement
from releaser.domain.notice import DeliveryKind, Outcome
from releaser.domain.notice_text import MAX_SUBJECT, AskedConsent, NoticeContent, TouchedWork, opening, write
from releaser.domain.target import Stop

START = datetime(2026, 11, 21, 7, tzinfo=UTC)
CONTENT = NoticeContent(
    kind=DeliveryKind.ANNOUNCED,
    product="Calls",
    version="1.1",
    starts_at=START,
    ends_at=START + timedelta(minutes=30),
    touched=[
        TouchedWork(installation="Acme 1", stop=Stop.FULL, modules=("app",), planned_for=timedelta(minutes=2)),
        TouchedWork(
            installation="Acme 2", stop=Stop.PARTIAL, modules=("app", "api"), planned_for=timedelta(seconds=90)
        ),
        TouchedWork(installation="Acme 3", stop=Stop.NONE),
    ],
    opening="We are going to install Calls 1.1.",
    notes_url="https://example.org/products/calls/releases/1.1",
    page_url="https://example.org/notices/7",
)


def test_announcement_in_english_says_all_there_is_to_know() -> None:
    written = write(CONTENT, language="en", zone="Europe/Moscow")
    assert written.subject == "Planned work: Calls 1.1, 21 November 2026, 10:00 (Moscow, UTC+03:00)"
    assert written.text == (
        "We are going to install Calls 1.1.\n"
        "\n"
        "Begins: 21 November 2026, 10:00 (Moscow, UTC+03:00)\n"
        "Ends: 21 November 2026, 10:30 (Moscow, UTC+03:00)\n"
        "In UTC: 21 November 2026, 07:00 (UTC) – 21 November 2026, 07:30 (UTC)\n"
        "\n"
        "- Acme 1: stops completely for about 2 minutes.\n"
        "- Acme 2: app, api stops for about 1 minute 30 seconds, everything else goes on.\n"
        "- Acme 3: nothing stops.\n"
        "\n"
        "What is new: https://example.org/products/calls/releases/1.1\n"
        "\n"
        "This notice: https://example.org/notices/7\n"
    )


def test_announcement_in_russian_names_the_zone_and_the_offset() -> None:
    written = write(
        replace(CONTENT, opening=opening("ru", product="Звонки", version="1.1")[1]),
        language="ru",
        zone="Asia/Yekaterinburg",
    )
    assert written.subject == "Плановые работы: Calls 1.1, 21 ноября 2026 г., 12:00 (Екатеринбург, UTC+05:00)"
    assert "Мы установим Звонки 1.1." in written.text
    assert "Acme 1: полная остановка, по плану 2 минуты." in written.text
    assert "По UTC: 21 ноября 2026" in written.text
    assert '<html lang="ru">' in written.html


@pytest.mark.parametrize("language", ["en", "ru"])
@pytest.mark.parametrize("kind", list(DeliveryKind))
def test_every_kind_is_written_in_every_language(kind: DeliveryKind, language: str) -> None:
    written = write(replace(CONTENT, kind=kind), language=language, zone="Europe/Moscow")
    assert "Calls 1.1" in written.subject
    assert "{" not in written.subject + written.text + written.html
    assert ("Плановые" in written.subject or "аботы" in written.subject) is (language == "ru")


def test_work_that_is_done_shows_both_downtimes() -> None:
    touched = [
        replace(CONTENT.touched[0], measured_for=timedelta(seconds=1.44), outcome=Outcome.SUCCEEDED),
        replace(CONTENT.touched[1], measured_for=timedelta(seconds=95), outcome=Outcome.ROLLED_BACK),
        replace(CONTENT.touched[0], outcome=Outcome.INCONSISTENT),
    ]
    written = write(replace(CONTENT, kind=DeliveryKind.DONE, touched=touched), language="en", zone="UTC")
    assert written.subject == "Work is done: Calls 1.1"
    assert "Acme 1: 1.1 runs. Downtime: 2 minutes planned, 1.4 s measured." in written.text
    assert (
        "the previous version runs. Downtime: 1 minute 30 seconds planned, 1 minute 35 seconds measured."
        in written.text
    )
    assert "at work. Downtime: 2 minutes planned, not known yet how long it was." in written.text


@pytest.mark.parametrize(
    ("kind", "outcome", "is_told"),
    [
        (DeliveryKind.ANNOUNCED, None, True),
        (DeliveryKind.DONE, Outcome.SUCCEEDED, True),
        (DeliveryKind.DONE, Outcome.ROLLED_BACK, False),
        (DeliveryKind.DONE, Outcome.SKIPPED, False),
        (DeliveryKind.CANCELLED, None, False),
    ],
)
def test_what_is_new_is_told_only_where_something_new_comes(
    kind: DeliveryKind, outcome: Outcome | None, *, is_told: bool
) -> None:
    touched = [replace(CONTENT.touched[0], outcome=outcome)]
    written = write(replace(CONTENT, kind=kind, touched=touched), language="en", zone="UTC")
    assert ("What is new" in written.text) is is_told
    assert ("What is new" in written.html) is is_told


def test_work_that_came_to_nothing_is_not_called_done() -> None:
    touched = [replace(CONTENT.touched[0], measured_for=timedelta(0), outcome=Outcome.ROLLED_BACK)]
    written = write(replace(CONTENT, kind=DeliveryKind.DONE, touched=touched), language="en", zone="UTC")
    assert written.subject == "Work is over, nothing was changed: Calls 1.1"
    assert "0 seconds measured" in written.text


def test_cancellation_gives_the_reason_and_no_stops() -> None:
    content = replace(CONTENT, kind=DeliveryKind.CANCELLED, reason="A blocker was found.", opening="")
    written = write(content, language="en", zone="UTC")
    assert written.subject.startswith("Cancelled: planned work, Calls 1.1")
    assert "Reason: A blocker was found." in written.text
    assert "stops" not in written.text


def test_revision_says_what_it_was_before() -> None:
    was = (START - timedelta(days=1), START - timedelta(days=1, minutes=-30))
    written = write(replace(CONTENT, kind=DeliveryKind.REVISED, was=was), language="en", zone="Europe/Moscow")
    assert "Before: 20 November 2026, 10:00 (Moscow, UTC+03:00)" in written.text
    same = replace(CONTENT, kind=DeliveryKind.REVISED, was=(CONTENT.starts_at, CONTENT.ends_at))
    assert "Before" not in write(same, language="en", zone="Europe/Moscow").text


def test_emergency_is_said_with_its_reason() -> None:
    written = write(replace(CONTENT, emergency_reason="Data is being lost."), language="en", zone="UTC")
    assert "This is an emergency, announced later than usual: Data is being lost." in written.text


def test_text_from_people_is_inert() -> None:
    hostile = "<script>alert(1)</script>\r\nBcc: all@example.org {when}"
    content = replace(
        CONTENT,
        product=hostile,
        emergency_reason=hostile,
        notes_url="javascript:alert(1)",
        page_url='https://x/"onclick',
    )
    written = write(content, language="en", zone="UTC")
    assert "\n" not in written.subject
    assert "\r" not in written.subject
    assert "<script>" not in written.html
    assert 'href="javascript' not in written.html
    assert 'x/"onclick' not in written.html


@pytest.mark.parametrize(
    ("stands", "english", "russian"),
    [
        (Agreement.AGREED, "nothing stops. Ann agreed to it.", "Ann: согласие есть."),
        (
            Agreement.MISSING,
            "nothing stops. Nothing is changed there before the CTO has agreed.",
            "Без согласия (the CTO)",
        ),
        (Agreement.REFUSED, "nothing stops. Nothing is changed there: Ann did not agree.", "согласия нет (Ann)"),
    ],
)
def test_consent_that_the_contract_asks_for_is_told(stands: Agreement, english: str, russian: str) -> None:
    asked = AskedConsent(by="the CTO", stands=stands, who="Ann")
    content = replace(CONTENT, touched=[TouchedWork(installation="Acme 3", stop=Stop.NONE, consent=asked)])
    assert f"- Acme 3: {english}\n" in write(content, language="en", zone="UTC").text
    assert russian in write(content, language="ru", zone="UTC").text
    done = write(replace(content, kind=DeliveryKind.DONE), language="en", zone="UTC").text
    assert "agree" not in done, "what was done needs none"


def test_long_subject_is_cut() -> None:
    written = write(replace(CONTENT, product="x" * 1000), language="en", zone="UTC")
    assert len(written.subject) == MAX_SUBJECT
    assert written.subject.endswith("…")
