"""The scripts that a host's shell is told: plain POSIX, every foreign word quoted, each safe to be repeated or cut off anywhere.

A script that changes anything holds the root's lock while it runs and passes the fence first. What becomes visible becomes so
by one rename, after its bytes are on the disk: a reader sees the old or the new, whole.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from releaser.domain.spec import ConfigurationFile, FilesSpec
from releaser.domain.target import Assignment
from releaser.targets.files.archive import MARK
from releaser.targets.files.daemon import Service
from releaser.targets.hosts.faults import NOT_DONE
from releaser.targets.hosts.fencing import GROUND, PUT, fence, q, settled

TOOLS: Final = "cat chmod chown cp cut date env flock grep head ln ls mkdir mktemp mv printf readlink rm sha256sum sync tail tar timeout tr"
_NOT_WHOLE: Final = "did not arrive whole"


@dataclass(frozen=True, slots=True)
class Places:
    """Where things of one attempt lie below the root."""

    root: str
    tag: str

    @classmethod
    def of(cls, spec: FilesSpec, assignment: Assignment) -> Places:
        """Those of an assignment."""
        return cls(spec.root, f"{assignment.rollout}-{assignment.attempt}")

    @property
    def own(self) -> str:
        """What this service keeps for itself."""
        return f"{self.root}/.releaser"

    @property
    def staged(self) -> str:
        """The new configuration before it takes its place."""
        return f"{self.own}/new-{self.tag}"

    @property
    def backup(self) -> str:
        """Everything as it was before the cutover."""
        return f"{self.own}/backup-{self.tag}"

    @property
    def unpacking(self) -> str:
        """A release that is not whole yet."""
        return f"{self.own}/unpack-{self.tag}"


def ground(places: Places) -> list[str]:
    """How every script begins."""
    return [*GROUND, f"root={q(places.root)}; own=$root/.releaser"]


def fenced(places: Places, generation: int, *, lock_wait_s: int) -> list[str]:
    """How every script begins that changes something: take the lock, and pass the fence or leave it to the younger one."""
    return [
        *ground(places),
        *PUT,
        'mkdir -p "$root/releases"',
        *fence(generation, lock_wait_s=lock_wait_s),
    ]


def look(places: Places, services: Sequence[Service], paths: Sequence[str], *, settled_s: int | None) -> list[str]:
    """Say everything there is. With `settled_s` what another script is in the middle of has so long to end."""
    lines = [
        *ground(places),
        *((settled(settled_s),) if settled_s is not None else ()),
        'say now "$(date +%s)"',
        'say generation "$(cat "$own/generation" 2>/dev/null || :)"',
        'say current "$(readlink "$root/current" 2>/dev/null || :)"',
        '[ ! -e "$root/current" ] || [ -L "$root/current" ] || say blocked yes',
        f'for one in "$root"/releases/*; do [ ! -f "$one/{MARK}" ] || say release "${{one##*/}} $(head -n 1 "$one/{MARK}")"; done',
        'for one in "$own"/unpack-* "$own"/new-* "$own"/backup-*; do [ ! -e "$one" ] || say own "${one##*/}"; done',
        'say state "$(cat "$own/state" 2>/dev/null || :)"',
        'say started "$(cat "$own/started" 2>/dev/null || :)"',
        f'say was "$(cat {q(places.backup)}/was 2>/dev/null || :)"',
    ]
    for number, path in enumerate(paths):
        lines.append(f'if [ -f {q(path)} ]; then sum=$(sha256sum <{q(path)}); say file "{number} ${{sum%% *}}"; fi')
    for number, service in enumerate(services):
        lines += service.look(number)
    return lines


def unpack(places: Places, name: str, mark: str) -> list[str]:
    """Unpack standard input, as `archive.send` writes it, under a passing name, mark it, and let it appear at once."""
    return [
        f"new={q(places.unpacking)}; release=$root/releases/{q(name)}",
        f'[ ! -e "$release" ] || [ -f "$release/{MARK}" ] || {{ echo "$release is not of this service" >&2; exit {NOT_DONE}; }}',
        'rm -rf "$new"; mkdir -p "$new"',
        'tar -x -f - -C "$new" --no-same-owner || { rm -rf "$new"; exit 1; }',
        f'[ -f "$new/{MARK}" ] || {{ rm -rf "$new"; echo "the release {_NOT_WHOLE}" >&2; exit {NOT_DONE}; }}',
        f'printf "%s\\n" {q(mark)} >"$new/{MARK}"',
        'chmod 755 "$new"; sync -f "$new"',
        'mv -T "$new" "$release"; sync "$root/releases"',
    ]


def stage(places: Places, files: Sequence[ConfigurationFile]) -> list[str]:
    """Put standard input, a tar of every file of configuration in this order, where nobody reads it yet."""
    # Where the last one is, none before it is missing.
    lacks = f'echo "the configuration {_NOT_WHOLE}" >&2; exit {NOT_DONE}'
    is_whole = [f'[ -f "$new.part"{q(files[-1].path)} ] || {{ {lacks}; }}'] if files else []
    return [
        f"new={q(places.staged)}",
        'rm -rf "$new" "$new.part"; mkdir -p "$new.part"; chmod 700 "$new.part"',
        'tar -x -m -f - -C "$new.part" --no-same-owner',
        *is_whole,
        'sync -f "$new.part"; mv -T "$new.part" "$new"',
    ]


def validate(places: Places, words: Sequence[str], release: str, bound_s: int) -> list[str]:
    """Ask the validator about the new files; its words come with its refusal."""
    put_in = {"{release}": f"{places.root}/releases/{release}", "{configuration}": places.staged, "{root}": places.root}
    asked = []
    for word in words:
        for name, value in put_in.items():
            word = word.replace(name, value)  # noqa: PLW2901 -- one after the other
        asked.append(word)
    return [
        f'code=0; env -u LC_ALL timeout -k 5 {bound_s} {shlex.join(asked)} </dev/null >"$own/output" 2>&1 9>&- || code=$?',
        'say code "$code"; say said "$(tail -c 2000 "$own/output" | tr "\\n\\t" "  ")"',
    ]


def take_over(places: Places, kept: str, paths: Sequence[str]) -> list[str]:
    """Keep what an attempt that broke off has kept, for that is how it was; and whatever of `paths` it did not touch, as it is."""
    lines = [
        f"copy={q(places.backup)}",
        f'rm -rf "$copy.part"; cp -a "$own"/{q(kept)} "$copy.part"',
    ]
    for number, path in enumerate(paths):
        lines += [
            f'if ! cat "$copy.part"/files/*.path 2>/dev/null | grep -qxF {q(path)}; then',
            f'  [ ! -e {q(path)} ] || cp -pL {q(path)} "$copy.part/files/more-{places.tag}-{number}"',
            f'  printf "%s\\n" {q(path)} >"$copy.part/files/more-{places.tag}-{number}.path"; fi',
        ]
    return [*lines, 'sync -f "$copy.part"; mv -T "$copy.part" "$copy"; sync "$own"']


def back_up(places: Places, service: Service, paths: Sequence[str]) -> list[str]:
    """Keep everything that will change as it is, once: what is whole already is never written again."""
    lines = [
        f"copy={q(places.backup)}",
        'rm -rf "$copy.part"; mkdir -p "$copy.part/files"; chmod 700 "$copy.part"',
        '[ ! -f "$own/state" ] || cp -p "$own/state" "$copy.part/state"',
    ]
    for number, path in enumerate(paths):
        lines.append(f'[ ! -e {q(path)} ] || cp -pL {q(path)} "$copy.part/files/{number}"')
        lines.append(f'printf "%s\\n" {q(path)} >"$copy.part/files/{number}.path"')
    lines += [
        f"active=no; if {service.is_active()}; then active=yes; fi",
        'printf "%s %s\\n" "$active" "$(readlink "$root/current" 2>/dev/null || :)" >"$copy.part/was"',
        'sync -f "$copy.part"; mv -T "$copy.part" "$copy"; sync "$own"',
    ]
    return lines


def place(places: Places, files: Sequence[ConfigurationFile], gone: Sequence[str], state: str) -> list[str]:
    """Put every new file in its place and take away those that are declared no more."""
    return [
        *(f"put {q(places.staged + one.path)} {q(one.path)} {one.mode}" for one in files),
        *(f"rm -f {q(path)}" for path in gone),
        f'keep "$own/state" {q(state)}',
    ]


def restore(places: Places) -> list[str]:
    """Put every file back as it was; one that was not there is taken away again."""
    return [
        f"copy={q(places.backup)}",
        'for one in "$copy"/files/*.path; do',
        '  [ -e "$one" ] || continue',
        '  path=$(cat "$one")',
        '  if [ -e "${one%.path}" ]; then put "${one%.path}" "$path" ""; else rm -f "$path"; fi',
        "done",
        'if [ -e "$copy/state" ]; then put "$copy/state" "$own/state" ""; else rm -f "$own/state"; fi',
    ]


def switch(target: str) -> list[str]:
    """Let `current` lead elsewhere, at once; to nowhere when empty. What it led to is remembered as used last."""
    touch = f'for one in "$root/current" "$root/"{q(target)}; do [ ! -f "$one/{MARK}" ] || touch -m "$one/{MARK}"; done'
    if not target:
        return ['rm -f "$root/current"; sync "$root"']
    return [
        touch,
        f'rm -f "$root/.current.new"; ln -s {q(target)} "$root/.current.new"',
        'mv -fT "$root/.current.new" "$root/current"; sync "$root"',
    ]


def started(service: Service, tag: str) -> list[str]:
    """Remember who started the service when, and which run of it that is."""
    return [f"pid=$({service.pid()} || :)", f'keep "$own/started" "{tag} $(date +%s) $pid"']


def clean_up(kept: Sequence[str], keep: int) -> list[str]:
    """Remove what attempts left, and releases beyond those `kept` and the `keep` that were used last; never a stranger's."""
    stay = " ".join(q(name) for name in kept)
    return [
        'rm -rf "$own"/trash; mkdir -p "$own/trash"',
        f"left={keep}",
        f'ls -1t "$root"/releases/*/{MARK} 2>/dev/null | while IFS= read -r one; do',
        "  folder=${one%/*}; name=${folder##*/}",
        f'  case " {stay} " in *" $name "*) continue ;; esac',
        '  if [ "$left" -gt 0 ]; then left=$((left - 1)); continue; fi',
        '  mv -T "$folder" "$own/trash/$name"; say removed "$name"',
        "done",
        'rm -rf "$own"/trash "$own"/new-* "$own"/unpack-* "$own"/backup-* "$own/output"',
    ]


def discard(places: Places, release: str) -> list[str]:
    """Remove what this attempt made: the staged files, the backups, and the release where it is named.

    What attempts that broke off have kept is of no use any more: all is as it was before them.
    """
    lines = [f"rm -rf {q(places.staged)} {q(places.staged + '.part')} {q(places.unpacking)}"]
    if release:
        lines.append(
            f'rm -rf "$own/trash"; mkdir -p "$own/trash"; mv -T "$root/releases/"{q(release)} "$own/trash/one"'
        )
    lines.append('rm -rf "$own/trash" "$own"/backup-* "$own"/new-* "$own/output"')
    return lines


def check() -> list[str]:
    """Say what the host is and what it lacks."""
    return [
        *GROUND,
        'say system "$(uname -sr) $(uname -m)"; say user "$(id -un)"',
        f'lacks=; for one in {TOOLS}; do command -v "$one" >/dev/null 2>&1 || lacks="$lacks $one"; done; say lacks "$lacks"',
        "if [ -d /run/systemd/system ]; then say systemd \"$(systemctl --version 2>/dev/null | head -n 1 | cut -d' ' -f1,2)\"; fi",
    ]
