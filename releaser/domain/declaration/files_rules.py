"""Whether the specification of files makes sense by itself: names and paths that reach a host as they are written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from releaser.domain.declaration.declared import Place
from releaser.domain.spec import ConfigurationFile, FilesSpec, Order, ServiceSpec

LARGEST_CONTENT: Final = 256 * 1024
MOST_FILES: Final = 200
MOST_KEPT: Final = 50
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}")
_UNIT = re.compile(r"[a-zA-Z0-9:_.\\@-]{1,200}")
_MODE = re.compile(r"0?[0-7]{3}")
_UNSHOWN = re.compile(r"[\x00-\x1f\x7f]")
_LONGEST_PATH = 1000


def files_faults(spec: FilesSpec) -> Iterator[tuple[Place, str, str]]:
    """Where inside the specification, what is wrong, what would be right."""
    if not _NAME.fullmatch(spec.name):
        yield ("name",), f"'{spec.name[:80]}' is no target's name.", "Use letters, digits and . _ -."
    yield from _folder(spec.root)
    if spec.order is not Order.STOP_FIRST:
        yield (
            ("order",),
            "Files are updated stop-first: two versions cannot be served from one place at a time.",
            "Use stop-first, or leave it out.",
        )
    if not 0 <= spec.strip <= 20:
        yield ("strip",), f"{spec.strip} is no number of leading folders.", "Use 0, or 1 for one folder around it all."
    if spec.as_file and not _NAME.fullmatch(spec.as_file):
        yield ("as_file",), f"'{spec.as_file[:80]}' is no file's name.", "Write it like app.war, without any folder."
    if not 1 <= spec.keep <= MOST_KEPT:
        yield (
            ("keep",),
            f"{spec.keep} previous releases cannot be kept.",
            f"Use 1 to {MOST_KEPT}: one is needed to go back.",
        )
    yield from command_faults(spec.validator, "validator")
    yield from _service(spec.service)
    yield from _configuration(spec)


def _folder(root: str) -> Iterator[tuple[Place, str, str]]:
    if not is_path(root) or root.count("/") < 2:
        yield (
            ("root",),
            f"'{root[:80]}' is no folder for releases.",
            "Write an absolute path of a folder of its own, such as /opt/shop.",
        )


def is_path(text: str) -> bool:
    """Absolute, and written the one way there is: no '..', no '//', no '/' at its end."""
    parts = text.split("/")
    plain = all(part not in {"", ".", ".."} for part in parts[1:])
    return text.startswith("/") and plain and len(text) <= _LONGEST_PATH and not _UNSHOWN.search(text)


def _configuration(spec: FilesSpec) -> Iterator[tuple[Place, str, str]]:
    if len(spec.configuration) > MOST_FILES:
        yield (
            ("configuration",),
            f"There are more than {MOST_FILES} files.",
            "Put what does not differ into the archive.",
        )
    seen: set[str] = set()
    for index, one in enumerate(spec.configuration):
        for key, detail, advice in _file(one, spec.root):
            yield ("configuration", index, key), detail, advice
        if one.path in seen:
            yield ("configuration", index, "path"), f"'{one.path[:80]}' is there twice.", "Keep one of them."
        seen.add(one.path)


def _file(one: ConfigurationFile, root: str) -> Iterator[tuple[str, str, str]]:
    ours = (f"{root}/releases", f"{root}/current", f"{root}/.releaser")
    if not is_path(one.path):
        yield "path", f"'{one.path[:80]}' is no absolute path of a file.", "Write it like /etc/shop/shop.conf."
    elif any(one.path == place or one.path.startswith(f"{place}/") for place in ours):
        yield (
            "path",
            f"'{one.path[:80]}' lies in a folder that changes with every release.",
            f"Put it elsewhere, such as {root}/conf, or into the archive.",
        )
    if len(one.content.encode(errors="surrogatepass")) > LARGEST_CONTENT:
        yield "content", f"The file is larger than {LARGEST_CONTENT} bytes.", "Put it into the archive."
    if "\0" in one.content or any("\ud800" <= letter <= "\udfff" for letter in one.content):
        yield "content", "The file has characters that are no text.", "Put it into the archive."
    if not _MODE.fullmatch(one.mode):
        yield "mode", f"'{one.mode[:20]}' is no mode of a file.", "Write three octal digits, such as 0640."


def _service(service: ServiceSpec) -> Iterator[tuple[Place, str, str]]:
    if service.unit and not (_UNIT.fullmatch(service.unit) and not service.unit.startswith("-")):
        yield ("service", "unit"), f"'{service.unit[:80]}' is no unit of systemd.", "Write it like tomcat9.service."
    given = [name for name in ("start", "stop", "status") if getattr(service, name)]
    if given and len(given) < 3:
        lacking = next(name for name in ("start", "stop", "status") if name not in given)
        yield (
            ("service", lacking),
            "Of the commands start, stop and status all three are needed.",
            "Give all three, or none of them to use systemd.",
        )
    if given and service.unit:
        yield ("service", "unit"), "There are a unit and commands.", "Keep one of them."
    if not service.systemctl:
        yield ("service", "systemctl"), "The command is empty.", "Use [systemctl] or [sudo, -n, systemctl]."
    for name in ("systemctl", "start", "stop", "status"):
        yield from command_faults(getattr(service, name), "service", name)


def command_faults(words: tuple[str, ...], *place: str) -> Iterator[tuple[Place, str, str]]:
    """What is wrong with the words of a command."""
    for index, word in enumerate(words):
        if "\0" in word or len(word) > 4000:
            yield (*place, index), "This is no word of a command.", "Shorten it, and leave out what is no text."
    if words and not words[0].strip():
        yield (*place, 0), "The command is empty.", "Name a program first."
