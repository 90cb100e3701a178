"""The bell is never missed."""

from __future__ import annotations

import threading
import time

from releaser.bell import Bell


def test_ring_between_look_and_sleep_is_heard() -> None:
    bell = Bell()
    heard = bell.heard()
    bell.ring()
    begun = time.monotonic()
    bell.wait(heard, 30.0)
    assert time.monotonic() - begun < 10


def test_ring_wakes_everybody() -> None:
    bell = Bell()
    woken = threading.Barrier(3, timeout=30)

    def sleep() -> None:
        bell.wait(0, 60.0)
        woken.wait()

    threads = [threading.Thread(target=sleep) for _ in range(2)]
    for thread in threads:
        thread.start()
    bell.ring()
    woken.wait()
    for thread in threads:
        thread.join()


def test_silence_ends_with_the_time() -> None:
    bell = Bell()
    bell.wait(bell.heard(), 0.01)
    assert bell.heard() == 0
