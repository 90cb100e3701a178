"""Renders one template of a user's, in a process of its own that can reach nothing; a script, started by `template`.

It imports nothing of ours: it must start fast and know nothing. The request comes as JSON on standard input, the answer
goes as JSON to standard output. Before any of the user's text is looked at, the process gives up the right to open
files, to start programs, and to more memory and processor time than it is granted; a template has no loader, so it
cannot name another file, and what it sees are read-only mappings, sequences, texts and numbers.
"""

from __future__ import annotations

import contextlib
import json
import re
import resource
import sys
from types import MappingProxyType
from typing import Any

import minijinja


def warm_up() -> None:
    """Let minijinja load what it loads late (how it tells errors, how it marks safe text), while files can be opened."""
    environment = minijinja.Environment(finalizer=lambda value: value)
    with contextlib.suppress(minijinja.TemplateError):
        environment.render_str("{{ text|upper }}{{ nothing.there }}", text=minijinja.safe("x"))


def give_up(memory: int, seconds: int) -> None:
    """No files, no programs, and no more memory (bytes) and processor time than granted."""
    for kind, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_NOFILE, 3),
    ):
        resource.setrlimit(kind, (most, most))


def frozen(pairs: list[tuple[str, Any]]) -> Any:  # noqa: ANN401 -- whatever JSON holds
    """A mapping that no template can change; one with `$safe` is text that is right for the output as it is."""
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in pairs}
    return minijinja.safe(str(values["$safe"])) if "$safe" in values else MappingProxyType(values)


def escaper(escapes: list[tuple[str, str]]) -> Any:  # noqa: ANN401 -- what minijinja takes for a finalizer
    """What is done to every text that a template puts out, unless it is safe: substitutions, line by line."""
    ready = [(re.compile(pattern), put) for pattern, put in escapes]

    def escaped(value: Any) -> Any:  # noqa: ANN401 -- whatever a template puts out
        if not isinstance(value, str) or hasattr(value, "__html__"):
            return value
        lines = value.split("\n")
        for pattern, put in ready:
            lines = [pattern.sub(put, line) for line in lines]
        return "\n".join(lines)

    return escaped


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """`{text}`, or `{line, message, kind}` of what is wrong."""
    is_html = request["escape"] == "html"
    environment = minijinja.Environment(
        fuel=request["fuel"],
        undefined_behavior="strict",
        debug=True,  # tells which part of the line is wrong
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_escape_callback=lambda _: is_html,
        finalizer=None if is_html or not request["escapes"] else escaper(request["escapes"]),
    )
    try:
        if request["data"] is None:
            environment.add_template("template", request["template"])
            return {"text": ""}
        text = environment.render_str(request["template"], "template", **request["data"])
    except minijinja.TemplateError as error:
        return {
            "line": error.line,
            "message": error.detail or error.message.partition(" (in ")[0],
            "kind": error.kind,
            "part": request["template"].encode()[slice(*error.range)].decode(errors="replace") if error.range else "",
        }
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # A method of a value was called as it cannot be; the engine hands Python's error on as it is.
        return {"line": None, "message": str(error).replace("mappingproxy", "mapping"), "kind": "InvalidOperation"}
    if len(text) > request["longest"]:
        return {"line": None, "message": "", "kind": "TooLong"}
    return {"text": text}


def main() -> None:
    """Read, give up, render, answer."""
    raw = sys.stdin.buffer.read()
    warm_up()
    give_up(int(sys.argv[1]), int(sys.argv[2]))
    try:
        said = answer(json.loads(raw, object_pairs_hook=frozen))
    except MemoryError:
        said = {"line": None, "message": "", "kind": "OutOfMemory"}
    sys.stdout.write(json.dumps(said))


if __name__ == "__main__":
    main()
