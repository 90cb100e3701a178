"""What the service and its drivers say by themselves is told in the reader's language; what others say stays as it is."""

from __future__ import annotations

import re

import pytest

from releaser.i18n import translator
from releaser.targets.docker.steps import StepName
from releaser.web.pages.reasons import reason_of, step_of

RUSSIAN = translator("ru")

# As the driver and the flows word them.
REASONS = {
    "not healthy in time: http://127.0.0.1:80/ answers 503, not 200": "не готово к сроку: http://127.0.0.1:80/ отвечает 503, а не 200",
    "could not be rolled back: web is paused": "вернуть прежнее не удалось: web приостановлен",
    "web exited (exit code 137, out of memory); its last words: boom: a, b": "web завершился с кодом 137, не хватило памяти; последние слова: boom: a, b",
    "web exited (exit code 1), without a word": "web завершился с кодом 1",
    "web was restarted 3 times (exit code 1), without a word": "web перезапускался 3 раз, код 1",
    "the engine's check of web fails (exit code 1: no\nluck)": "проверка Docker для web не проходит (код 1: no\nluck)",
    "the engine's check of web has not passed yet": "проверка Docker для web ещё не прошла",
    "web is up, http://h/ answers 200 and the engine's check passes": "web работает, http://h/ отвечает 200",
    "web is up for 0.4 of 5 s": "web работает 0.4 из 5 с",
    "web stayed up for 5 s (no check and no probe)": "web проработал 5 с (проверок нет)",
    "cut-over did not end in time": "переключение не закончилось в срок",
    "no container of target 7 runs 3.4": "ни один контейнер не работает с 3.4",
    "web runs sha256:ab, not the wanted sha256:cd (3.4)": "web работает с sha256:ab, а нужен sha256:cd (3.4)",
    "the state before is back": "прежнее состояние восстановлено",
}


@pytest.mark.parametrize(("reason", "expected"), REASONS.items())
def test_reason_is_told_in_the_readers_language(reason: str, expected: str) -> None:
    assert reason_of(reason, RUSSIAN) == expected


@pytest.mark.parametrize("reason", ["", "disk is full", "web exited", "<b>web</b> said so", "trying"])
def test_reason_of_others_stays_as_it_is(reason: str) -> None:
    assert reason_of(reason, RUSSIAN) == reason


def test_endless_reason_costs_no_time() -> None:
    assert reason_of("not healthy in time: " + "a" * 2_000 + " (exit code " * 50, RUSSIAN)
    assert reason_of("trying again: " * 140, RUSSIAN).startswith("новая попытка: новая попытка")


@pytest.mark.parametrize("step", StepName)
def test_every_step_of_a_driver_has_words(step: StepName) -> None:
    told = step_of(step.value, RUSSIAN)
    assert re.search("[А-Яа-я]", told)
    assert step_of(step.value, translator("en")) != step.value or "-" not in step.value


def test_name_behind_a_colon_stays() -> None:
    assert step_of("attach-alias:front", RUSSIAN) == "направить запросы к новому: front"
    assert step_of("dance-around", RUSSIAN) == "dance around"
