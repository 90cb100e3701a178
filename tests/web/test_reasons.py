"""What the service and its drivers say by themselves is told in the reader's language; what others say stays as it is."""

from __future__ import annotations

import re

import pytest

from releaser.i18n import translator
from releaser.targets.compose.steps import StepName as ComposeStep
from releaser.targets.docker.steps import StepName as DockerStep
from releaser.targets.files.steps import StepName as FilesStep
from releaser.targets.swarm.steps import StepName as SwarmStep
from releaser.web.pages.reasons import reason_of, step_of

RUSSIAN = translator("ru")

# As the driver and the flows word them.
REASONS = {
    "not healthy in time: http://127.0.0.1:80/ answers 503, not 200": "не готово к сроку: http://127.0.0.1:80/ отвечает 503, а не 200",
    "not healthy in time: from outside: https://u/ answers 503, not 200; it did before": "не готово к сроку: снаружи: https://u/ отвечает 503, а не 200; раньше отвечало",
    "from outside: https://u/ answers 503, not 200; nor was it seen to answer before, which says nothing of the version": "снаружи: https://u/ отвечает 503, а не 200; и раньше ответа не видели, о версии это ничего не говорит",
    "sw was changed by hand since the wanted one was told, which says nothing of the version": "sw: изменено вручную во время обновления, о версии это ничего не говорит",
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
    "freeze 3 until 2026-12-31 21:00Z: год закрыт": "заморозка 3 до 2026-12-31 21:00Z: год закрыт",
    "the look broke off: KeyError: 'State'": "осмотр сорвался: KeyError: 'State'",
    "no window of the contract lasts 600 s": "ни одно окно договора не длится 600 с",
    "the window closes 2026-11-21 21:00Z, too soon for 90 s; the next opens 2026-11-22 19:00Z": "окно закроется 2026-11-21 21:00Z, на 90 с времени не хватит; следующее откроется 2026-11-22 19:00Z",
    "rollout 5 is at work at the customer": "у клиента идёт развёртывание 5",
    "wave 1 fell ill while it was watched: shop-1: gone": "волна 1 дала сбой во время наблюдения: shop-1: gone",
    "freeze 3 (year end) was overridden: a security fix": "заморозка 3 (year end) не применяется: a security fix",
    "wave 1 is done, and somebody has to let wave 2 begin": "волна 1 закончена, волну 2 кто-то должен разрешить",
    "главный инженер (acme) has not agreed yet": "главный инженер (acme): согласия ещё нет",
    "CTO (acme) agreed before it was known that app stops": "CTO (acme): согласие дано до того, как стало известно, что остановится app",
    "Ann did not agree: year end": "Ann: согласия нет: year end",
    "Ann did not agree (a, b): year end": "Ann: согласия нет (a, b): year end",
    "Ann agreed (a, b)": "Ann: согласие есть (a, b)",
    "Ann agreed (a and 7 more): by mail": "Ann: согласие есть (a and 7 more): by mail",
    "every wave succeeded, 2 skipped": "все волны прошли успешно; пропущено целей: 2",
    "1.1 was yanked: it eats data": "1.1 отозвана: it eats data",
    "could not begin yet: rollout 4 has not ended": "пока не может начаться: развёртывание 4 ещё не закончено",
    "1 of 2 tasks of web run what is wanted; one is pending": "web: нужное выполняют задачи: 1 из 2; одна в состоянии pending",
    "no container of target acme-cloud/app@host-1 runs 3.4": "ни один контейнер не работает с 3.4",
    "no container of target acme-cloud/app@host-1 runs what was there before": "ни один контейнер не работает с тем, что было раньше",
    "web is up for 1.0 of 5 s; so are 2 more": "web работает 1.0 из 5 с; остальные тоже (2)",
    "shop.service does not run (exit code 3); its last words: boom: a; b": "shop.service не работает, код 3; последние слова: boom: a; b",
    "web: 3 of 3 tasks run on h1 (2), h2; node h3 does not answer: 1 task is not counted, and may run there still; http://h/ answers 200": (
        "web: работает задач 3 из 3, узлы: h1 (2), h2; не отвечают узлы: h3"
        " (задач там 1: они не в счёт, но могут ещё работать); http://h/ отвечает 200"
    ),
    "web: 3 of 3 tasks run on h1, and stayed up (no check and no probe)": "web: работает задач 3 из 3, узлы: h1, работают без перебоев (проверок нет)",
    "1 of 2 tasks of web run what is wanted; one is pending (no space on device)": (
        "web: нужное выполняют задачи: 1 из 2; одна в состоянии pending (no space on device)"
    ),
    "1 of 3 proxies of shop-proxy run; one failed: exit code 1; its last words: boom": "shop-proxy: работает прокси 1 из 3; одна не удалась: exit code 1; последние слова: boom",
    "web is paused; the version is not safe to roll back, so it was left as it is: roll a mended version out there": (
        "web приостановлен; откатывать эту версию небезопасно, всё оставлено как есть: разверните там исправленную"
    ),
    "rollout 3 was turned back at globex-own: not healthy in time: web is paused": "развёртывание 3 откатилось у globex-own: не готово к сроку: web приостановлен",
    "rollout 3 failed at globex-own, where it could not be turned back: web is paused": (
        "развёртывание 3 не удалось у globex-own, и вернуть прежнее там не вышло: web приостановлен"
    ),
    "wave 1 fell ill while it was watched: shop-1: web is paused": "волна 1 дала сбой во время наблюдения: shop-1: web приостановлен",
    "image: changed; web-2 runs besides; and 3 more": "image: изменено; web-2 работает сверх записанного; и ещё 3",
    "the roll-back began again: web exited (exit code 1), without a word": "откат начат заново: web завершился с кодом 1",
    "late came while it ran and did not join: the approval was given without it;"
    " roll out to it by itself: releaser deploy shop 1.1 --to installation=NAME": (
        "late: появилось уже после начала и не вошло: одобрено было без неё;"
        " разверните отдельно: releaser deploy shop 1.1 --to installation=NAME"
    ),
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


STEPS = sorted({step.value for driver in (ComposeStep, DockerStep, FilesStep, SwarmStep) for step in driver})


@pytest.mark.parametrize("step", STEPS)
def test_every_step_of_a_driver_has_words(step: str) -> None:
    told = step_of(step, RUSSIAN)
    assert re.search("[А-Яа-я]", told)
    assert step_of(step, translator("en")) != step or "-" not in step


def test_name_behind_a_colon_stays() -> None:
    assert step_of("attach-alias:front", RUSSIAN) == "направить запросы к новому: front"
    assert step_of("dance-around", RUSSIAN) == "dance around"
