from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from releaser.i18n import Translator, mark, translator

AT = datetime(2026, 11, 21, 7, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("language", "known"),
    [("ru", "ru"), ("ru-RU", "ru"), ("RU_ru", "ru"), ("en-GB", "en"), ("de", "en"), ("", "en"), ("../x", "en")],
)
def test_language_not_known_becomes_english(language: str, known: str) -> None:
    assert translator(language).language == known


def test_translator_is_made_once() -> None:
    assert translator("ru") is translator("ru")


def test_message_without_translation_is_its_english_text() -> None:
    assert translator("ru")("Nobody translated this {name}", name="one") == "Nobody translated this one"


def test_message_is_translated() -> None:
    assert translator("ru")("Added") == "Добавлено"
    assert translator("en")(mark("Added")) == "Added"


@pytest.mark.parametrize(
    ("message", "values", "shown"),
    [
        ("{a} and %(b)s", {"a": 1, "b": "two"}, "1 and two"),
        ("{a} {b}", {"a": "{b}", "b": "x"}, "{b} x"),
        ("{a.__class__} {a!r} {missing}", {"a": 1}, "{a.__class__} {a!r} {missing}"),
        ("100 % {a}", {}, "100 % {a}"),
    ],
)
def test_values_are_put_in_as_plain_text(message: str, values: dict[str, object], shown: str) -> None:
    assert translator("en")(message, **values) == shown


@pytest.mark.parametrize(
    ("n", "russian", "english"),
    [
        (1, "1 исправление", "1 fix"),
        (2, "2 исправления", "2 fixes"),
        (5, "5 исправлений", "5 fixes"),
        (11, "11 исправлений", "11 fixes"),
        (21, "21 исправление", "21 fixes"),
        (0, "0 исправлений", "0 fixes"),
    ],
)
def test_plural_follows_the_language(n: int, russian: str, english: str) -> None:
    messages = {"{n} fix": ("{n} исправление", "{n} исправления", "{n} исправлений")}
    assert Translator("ru", messages).n("{n} fix", "{n} fixes", n) == russian
    assert Translator("en").n("{n} fix", "{n} fixes", n) == english


@pytest.mark.parametrize(
    ("language", "zone", "shown"),
    [
        ("ru", "Europe/Moscow", "21 ноября 2026\xa0г., 10:00 (Москва, UTC+03:00)"),
        ("en", "Europe/Moscow", "21 November 2026, 10:00 (Moscow, UTC+03:00)"),
        ("en", "Asia/Kolkata", "21 November 2026, 12:30 (Kolkata, UTC+05:30)"),
        ("en", "Europe/London", "21 November 2026, 07:00 (London, UTC+00:00)"),
        ("en", "UTC", "21 November 2026, 07:00 (UTC)"),
        ("en", "No/Where", "21 November 2026, 07:00 (UTC)"),
        ("en", "../../etc/passwd", "21 November 2026, 07:00 (UTC)"),
    ],
)
def test_instant_is_in_the_readers_zone_which_is_named(language: str, zone: str, shown: str) -> None:
    assert translator(language).instant(AT, zone) == shown


def test_day_and_clock_stand_alone() -> None:
    assert translator("ru").day(date(2026, 1, 2)) == "2 января 2026\xa0г."
    assert translator("en").clock(AT, "Europe/Moscow") == "10:00"


@pytest.mark.parametrize(
    ("seconds", "russian", "english"),
    [
        (0, "0 секунд", "0 seconds"),
        (0.4, "0 секунд", "0 seconds"),
        (-5, "0 секунд", "0 seconds"),
        (61, "1 минута 1 секунда", "1 minute 1 second"),
        (5_700, "1 час 35 минут", "1 hour 35 minutes"),
        (172_805, "2 дня", "2 days"),
    ],
)
def test_duration_shows_its_two_largest_units(seconds: float, russian: str, english: str) -> None:
    assert translator("ru").duration(timedelta(seconds=seconds)) == russian
    assert translator("en").duration(timedelta(seconds=seconds)) == english
