"""How scripts begin that look at or change a host, and how they keep out whoever lost the target to a younger attempt.

A script that changes anything holds the lock of its target while it runs and passes the fence first. What becomes visible becomes
so by one rename, after its bytes are on the disk: a reader sees the old or the new, whole.
"""

from __future__ import annotations

import shlex
from typing import Final

from releaser.domain.target import Assignment
from releaser.targets.hosts.faults import BUSY, FENCED
from releaser.targets.target import FencedError

LOCK_WAIT_S: Final = 10
GROUND: Final = (
    "set -eu",
    "umask 022",
    "LC_ALL=C; export LC_ALL",
    'say() { printf "%s\\t%s\\n" "$1" "$2"; }',
)
# A file takes its place by a rename, after it is on the disk, under its old owner; a link is followed to what it names. Others may put
# files into the same folder, so the name it has until then is nobody else's; it is written down first, for `fence` to clear up.
PUT: Final = (
    "put() {",
    '  target=$2; [ ! -L "$target" ] || target=$(readlink -f "$target")',
    '  folder=${target%/*}; mkdir -p "$folder"',
    '  fresh=$(mktemp -u "$folder/.releaser-new-XXXXXXXXXX"); keep "$own/putting" "$fresh"',
    '  cp -p "$1" "$fresh"',
    '  [ -z "$3" ] || chmod "$3" "$fresh"',
    '  [ -z "$3" ] || [ ! -e "$target" ] || chown --reference="$target" "$fresh" 2>/dev/null || :',
    '  sync "$fresh"; mv -fT "$fresh" "$target"; sync "$folder"',
    "}",
    'keep() { printf "%s\\n" "$2" >"$1.new"; sync "$1.new"; mv -fT "$1.new" "$1"; sync "$own"; }',
)

q = shlex.quote


def fence(generation: int, *, lock_wait_s: int) -> list[str]:
    """Take the lock in `$own`, which is made, and pass the fence or leave it to the younger one.

    What a script before that broke off while it put a file in place left beside that file is cleared up.
    """
    return [
        'mkdir -p "$own"; chmod 700 "$own"',
        'exec 9>>"$own/lock"',
        f"flock -w {lock_wait_s} 9 || exit {BUSY}",
        'found=$(cat "$own/generation" 2>/dev/null || echo 0)',
        f'[ "$found" -le {generation} ] || {{ say generation "$found"; exit {FENCED}; }}',
        f'[ "$found" -ge {generation} ] || keep "$own/generation" {generation}',
        '[ ! -f "$own/putting" ] || { rm -f "$(cat "$own/putting")" && rm -f "$own/putting"; } 2>/dev/null || :',
    ]


def settled(settled_s: int) -> str:
    """Let what another script is in the middle of come to its end, so long at most."""
    return f'[ ! -e "$own/lock" ] || {{ exec 9>>"$own/lock"; flock -w {settled_s} 9 || exit {BUSY}; exec 9>&-; }}'


def fenced(assignment: Assignment, found: int) -> FencedError:
    """The error for a younger lock than ours."""
    return FencedError(
        f"Target {assignment.target} was taken over: generation {found} was there, this one is {assignment.generation}.",
        advice="Nothing to do here; whoever holds the younger lock goes on.",
        target=assignment.target,
        found=found,
        own=assignment.generation,
    )
