"""A repository full of what somebody could push to do harm to whoever reads about it."""

from __future__ import annotations

import unicodedata
from pathlib import Path

from tests.fakes.object_world import ObjectWorld

MESSAGES = (
    "first",
    "# Heading",
    "[x](javascript:alert(1)) ![i](http://evil.example/x.png)",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "`code` **bold** _it_ ~~s~~ \\",
    "T-1: \x1b[31mred\x1b[0m \x1b[2J",
    "\x1b]8;;http://evil.example\x07click\x1b]8;;\x07",
    "\x9b31m by C1 \x9d0;title\x9c",
    "\u202egnp.exe \u2066x\u2069",
    "a\u2028b\u2029c\x85d",
    "\u200bzero\ufeffwidth\u2060 \U000e0041tag",
    "| a | b |",
    "---",
    "1. one",
    "\x07\x08\x7f",
    "&lt;b&gt; &amp; ]]></title><script>-->",
    "{{ 7*7 }} ${x} %s {0} =cmd|' /C calc'!A0",
    "\x00",
    "",
    "x" * 300_000,
    "fix!: T-2 y\r\n\r\nBREAKING CHANGE: <b>\x1b[31m\u202e",
    "[ref]: http://evil.example",
    "Merge \u202e",
    'Revert "\x1b[31m<script>"',
    "(cherry picked from commit \x1b[31m)",
)
TAGS = (
    "1.0",
    "1.2",
    "--output=x",
    "-x",
    "1.1\u202e",
    "\u009b31m",
    "$(touch${IFS}owned)",
    "a;b",
    "x\u2028y",
    "`id`",
    "<script>",
    "<script>-1.0",
    "e" * 250,
    "\udcff\udcfe",
    "1.0.0",
    "'q'",
    '"dq"',
    "%s%n",
    "{version}",
    "2.0\u200b",
)
BRANCHES = ("main", "--all", "-", "\u202ex", "1.0", "1.2<script>", "x\x9b31m", "HEAD", "e" * 250)
AUTHOR = "\u202eEve\x1b]8;;http://evil.example\x07 <e\u009b@example.org> 1700000000 +0000"


def hostile_history(folder: Path) -> ObjectWorld:
    """One line of commits; the tag 1.0 is put at its middle, every other tag and branch at its end."""
    world = ObjectWorld(folder)
    ids: list[str] = []
    for message in MESSAGES:
        raw = message.encode() + b"\n"
        ids.append(world.commit(raw, *ids[-1:], author=AUTHOR, committer="E <e> 1700000000 +0000"))
    refs = {f"refs/tags/{name}": ids[-1] for name in TAGS} | {f"refs/heads/{name}": ids[-1] for name in BRANCHES}
    world.refs(refs | {"refs/tags/1.0": ids[len(ids) // 2]})
    return world


def harmful(text: str) -> list[str]:
    """The characters of an output that no terminal or page should get; lines may end."""
    return [
        f"U+{ord(one):04X}"
        for one in text
        if one != "\n" and unicodedata.category(one) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
    ]
