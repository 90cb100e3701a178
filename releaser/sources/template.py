"""Users' templates (Jinja's language, by minijinja), rendered where they can do no harm.

A template is bounded in four ways at once: fuel (steps), processor time, memory and the length of what it makes. Fuel
alone is not enough: twenty doublings of a text cost twenty steps and a megabyte, and one filter can ask for a
gigabyte. So each rendering is a process of its own (`template_child`) that has no files, no environment and bounded memory;
whatever happens there is one error here.

What does not live here: which data templates get (`domain.changelog.template_data`).
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from releaser.domain.changelog.text import MARKDOWN_ESCAPES
from releaser.errors import OutsideError
from releaser.sources.source import Escape, InvalidTemplateError, TemplateExhaustedError

MAX_TEMPLATE = 64_000
"""Characters of a template."""
LONGEST_OUTPUT = 64 << 20

_CHILD = Path(__file__).with_name("template_child.py")
_MEMORY = 384 << 20
_MOST_MEMORY = 1536 << 20
_FUEL = 500_000
# A changelog's entry costs a usual template 30 to 100 steps, and is about 300 bytes of data.
_FUEL_PER_BYTE = 2


class TemplateProcess:
    """Renders templates; `seconds` bounds the processor time of each."""

    def __init__(self, *, seconds: int = 20) -> None:
        self._seconds = seconds

    def render(self, template: str, data: Mapping[str, Any], *, name: str, escape: Escape) -> str:
        """The text that the template makes of `data`; `name` stands for its file in errors."""
        return self._run(template, data, name=name, escape=escape)

    def check(self, template: str, *, name: str) -> None:
        """Only read the template: what is wrong with its syntax."""
        self._run(template, None, name=name, escape=Escape.NONE)

    def _run(self, template: str, data: Mapping[str, Any] | None, *, name: str, escape: Escape) -> str:
        if len(template) > MAX_TEMPLATE:
            raise InvalidTemplateError(
                f"{name}: The template has {len(template)} characters; {MAX_TEMPLATE} are the most.",
                advice="Shorten it.",
                field="template",
            )
        body = json.dumps(data, ensure_ascii=True)
        request = {
            "template": template,
            "escape": escape.value,
            "escapes": MARKDOWN_ESCAPES if escape is Escape.MARKDOWN else (),
            "fuel": _FUEL + _FUEL_PER_BYTE * len(body),
            "longest": LONGEST_OUTPUT,
        }
        feed = f'{json.dumps(request)[:-1]}, "data": {body}}}'.encode()
        memory = min(_MEMORY + 16 * len(body), _MOST_MEMORY)
        return _text(self._answer(feed, memory, name), name)

    def _answer(self, feed: bytes, memory: int, name: str) -> dict[str, Any]:
        try:
            done = subprocess.run(  # noqa: S603 -- our own script, no value of a user's among the arguments
                [sys.executable, "-I", str(_CHILD), str(memory), str(self._seconds)],
                input=feed,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={},
                cwd="/",
                timeout=3 * self._seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise _exhausted(name, "time") from error
        except OSError as error:
            raise OutsideError(f"A template could not be rendered: {error.strerror}.", permanent=False) from error
        if done.returncode in {-signal.SIGXCPU, -signal.SIGKILL}:
            raise _exhausted(name, "time")
        if done.returncode or not done.stdout:
            raise _exhausted(name, "memory")
        said: dict[str, Any] = json.loads(done.stdout)
        return said


def _text(said: Mapping[str, Any], name: str) -> str:
    if "text" in said:
        return str(said["text"])
    what = {"OutOfFuel": "steps", "OutOfMemory": "memory", "TooLong": "output"}.get(said["kind"])
    if what is not None:
        raise _exhausted(name, what, line=said["line"])
    place = f"{name}:{said['line']}" if said["line"] else name
    raise InvalidTemplateError(
        f"{place}: {_sentence(said['message'], said.get('part') or '')}",
        advice="See docs/changelog.md for what a template is given.",
        field="template",
        file=name,
        line=said["line"],
    )


def _exhausted(name: str, what: str, *, line: int | None = None) -> TemplateExhaustedError:
    place = f"{name}:{line}" if line else name
    return TemplateExhaustedError(
        f"{place}: The template was stopped: it needs more {what} than it is granted.",
        advice="Look for a loop, a recursion or a text that grows without end.",
        field="template",
        file=name,
        line=line,
    )


def _sentence(message: str, part: str) -> str:
    """The engine's words, and the part of the template that they are about, as a sentence."""
    words = " ".join(message.split())[:400]
    shown = f" ({part[:60]!a})" if part and part not in words else ""
    return f"{words[:1].upper()}{words[1:]}{shown}."
