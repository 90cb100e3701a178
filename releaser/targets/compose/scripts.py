"""The scripts that a host's shell is told: plain POSIX, every foreign word quoted, each safe to be repeated or cut off anywhere.

docker and compose are called by functions that bound their time. A script that changes anything holds the target's lock and passes
the fence first (`targets.hosts.fencing`).
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from releaser.domain.spec import ComposeSpec
from releaser.domain.target import Assignment
from releaser.targets.compose.faults import NO_COMPOSE, NO_PROJECT
from releaser.targets.hosts.faults import NOT_DONE
from releaser.targets.hosts.fencing import GROUND, PUT, fence, q, settled

TOOLS: Final = (
    "cat chmod chown cp cut date docker find flock mkdir mktemp mv readlink rm sha256sum sort stat sync tail timeout tr"
)
_CONTROL_S: Final = 30
_NAMES: Final = "compose.yaml compose.yml docker-compose.yml docker-compose.yaml"
_OVER: Final = "compose.override.yml compose.override.yaml docker-compose.override.yml docker-compose.override.yaml"
# What compose is called: the plugin of docker first, then the program of its own.
_FIND: Final = (
    "with=",
    "which_compose() {",
    '  [ -z "$with" ] || return 0',
    "  if dock compose version >/dev/null 2>&1; then with=plugin",
    "  elif command -v docker-compose >/dev/null 2>&1; then with=program",
    f'  else echo "neither docker compose nor docker-compose is there" >&2; exit {NO_COMPOSE}; fi',
    "}",
)


@dataclass(frozen=True, slots=True)
class Places:
    """Where things of one attempt lie on the host."""

    spec: ComposeSpec
    tag: str

    @classmethod
    def of(cls, spec: ComposeSpec, assignment: Assignment) -> Places:
        """Those of an assignment."""
        return cls(spec, f"{assignment.rollout}-{assignment.attempt}")

    @property
    def own(self) -> str:
        """What this service keeps for itself."""
        return f"{self.spec.folder}/.releaser/{self.spec.service}"

    @property
    def override(self) -> str:
        """The file laid over the project."""
        return f"{self.spec.folder}/releaser.{self.spec.service}.yaml"

    @property
    def staged(self) -> str:
        """The new one before it takes its place."""
        return f"{self.own}/new-{self.tag}"

    @property
    def backup(self) -> str:
        """Everything as it was before the cutover."""
        return f"{self.own}/backup-{self.tag}"


def commands(docker: Sequence[str], compose: Sequence[str]) -> list[str]:
    """`dock` and `compose` as functions whose time is bounded, by `$bound` seconds where that is set."""
    plugin, program = shlex.join((*docker, "compose")), shlex.join((*docker[:-1], "docker-compose"))
    bounded = f'timeout -k 10 "${{bound:-{_CONTROL_S}}}"'
    lines = [f'dock() {{ {bounded} {shlex.join(docker)} "$@"; }}']
    if compose:
        return [*lines, "which_compose() { :; }", f'compose() {{ {bounded} {shlex.join(compose)} "$@"; }}']
    call = f'if [ "$with" = plugin ]; then {bounded} {plugin} "$@"; else {bounded} {program} "$@"; fi'
    return [*lines, *_FIND, f"compose() {{ which_compose; {call}; }}"]


def ground(places: Places) -> list[str]:
    """How every script begins."""
    spec = places.spec
    absolute = [q(one) for one in spec.files if one.startswith("/")]
    outside = f"stat -c '%n %s %Y %i' {' '.join(absolute)} 2>/dev/null || :" if absolute else ":"
    return [
        *GROUND,
        f"home={q(spec.folder)}; own={q(places.own)}; override={q(places.override)}",
        *commands(spec.docker, spec.compose),
        # Whether any file that the project may be made of was touched; which of them matter compose is asked.
        "prints() { {",
        (
            '  find "$home" -maxdepth 2 -name .releaser -prune -o -type f '
            r"\( -name '*.yml' -o -name '*.yaml' -o -name '*.env' -o -name '.env*' \) ! -name 'releaser.*' "
            r"-printf '%p %s %T@ %i\n' 2>/dev/null || :"
        ),
        f"  {outside}; }} | sort | sha256sum | cut -c1-16; }}",
    ]


def changing(places: Places, generation: int, *, lock_wait_s: int) -> list[str]:
    """How every script begins that changes something."""
    return [
        *ground(places),
        *PUT,
        f'[ -d "$home" ] || {{ echo "there is no folder $home" >&2; exit {NO_PROJECT}; }}',
        *fence(generation, lock_wait_s=lock_wait_s),
    ]


def look(places: Places, *, settled_s: int | None) -> list[str]:
    """Say everything there is; containers as docker describes them come last."""
    spec = places.spec
    filters = (f"label=com.docker.compose.{key}={value}" for key, value in _labels(spec))
    return [
        *ground(places),
        *((settled(settled_s),) if settled_s is not None else ()),
        'say now "$(date +%s.%N)"',
        'say generation "$(cat "$own/generation" 2>/dev/null || :)"',
        'say prints "$(prints)"',
        'say applied "$(cat "$own/applied" 2>/dev/null || :)"',
        'say override "$(if [ -f "$override" ]; then sha256sum <"$override" | cut -c1-16; fi)"',
        f'say staged "$(cat {q(places.staged)}/made 2>/dev/null || :)"',
        f'say was "$(cat {q(places.backup)}/was 2>/dev/null || :)"',
        'say kept "$(for one in "$own"/backup-*/was; do [ ! -f "$one" ] || { one=${one%/was}; printf "%s " "${one##*/}"; }; done)"',
        f"ids=$(dock ps -aq --no-trunc {' '.join(f'--filter {q(one)}' for one in filters)})",
        'printf "inspect\\n"',
        # One that goes away in between is left out, and the others are told.
        '[ -z "$ids" ] || dock inspect --type container $ids 2>/dev/null || :',
    ]


def _labels(spec: ComposeSpec) -> tuple[tuple[str, str], tuple[str, str]]:
    return (("project", spec.project), ("service", spec.service))


def files(spec: ComposeSpec, *, instead: str = "") -> list[str]:
    """Put the words that name the project and its files into `$@`; `instead` of its files the one that was kept."""
    named = f'-p {q(spec.project)} --project-directory "$home"'
    if instead:
        return [f"set -- {named} -f {q(instead)}"]
    if spec.files:
        whole = [one if one.startswith("/") else f"{spec.folder}/{one}" for one in spec.files]
        return [f"set -- {named} {' '.join(f'-f {q(one)}' for one in whole)}"]
    told = "names COMPOSE_FILE: declare the files of the project, as `files`"
    return [
        f'! grep -qs "^COMPOSE_FILE=" "$home/.env" || {{ echo "$home/.env {told}" >&2; exit {NO_PROJECT}; }}',
        f"set -- {named}; found=",
        f'for one in {_NAMES}; do [ ! -f "$home/$one" ] || {{ set -- "$@" -f "$home/$one"; found=yes; break; }}; done',
        f'[ -n "$found" ] || {{ echo "there is no compose file in $home" >&2; exit {NO_PROJECT}; }}',
        f'for one in {_OVER}; do [ ! -f "$home/$one" ] || {{ set -- "$@" -f "$home/$one"; break; }}; done',
    ]


def resolve(spec: ComposeSpec, unchanged: str) -> list[str]:
    """Say the project as compose reads it, with all its files; refused when it has no such service."""
    return [
        *files(spec),
        "empty=$(mktemp); trap 'rm -f \"$empty\"' EXIT",
        f'printf "%s" {q(unchanged)} >"$empty"',
        'compose "$@" -f "$empty" config',
    ]


def pull(reference: str, repository: str, bound_s: int) -> list[str]:
    """Fetch the image by digest, and give it a name of ours that keeps it from being pruned."""
    return [
        f"image={q(reference)}; code=0",
        'if ! dock image inspect "$image" >/dev/null 2>&1; then',
        f'  bound={bound_s}; dock pull -q "$image" >"$own/output" 2>&1 || code=$?',
        f"  bound={_CONTROL_S}; say pulled yes",
        "fi",
        'say code "$code"',
        'if [ "$code" != 0 ]; then say said "$(tail -c 2000 "$own/output" | tr "\\n\\t" "  ")"; exit 0; fi',
        'id=$(dock image inspect --format "{{.Id}}" "$image")',
        f'dock tag "$id" {q(repository)}:"$(printf "%s" "${{id#*:}}" | cut -c1-12)"',
    ]


def stage(places: Places, *, override: str, size: int, made: str) -> list[str]:
    """Put the new override where nobody reads it yet, beside the project as compose read it: standard input, of `size` bytes.

    With the project come the values of its `.env`: no word of it may stand in a script, which everybody on the host can read.
    """
    part = "the project did not arrive whole"
    return [
        f"new={q(places.staged)}",
        'rm -rf "$new" "$new.part"; mkdir -p "$new.part"; chmod 700 "$new.part"',
        f'printf "%s" {q(override)} >"$new.part/override.yaml"',
        '(umask 077; cat >"$new.part/base.yaml")',
        f'[ "$(stat -c %s "$new.part/base.yaml")" = {size} ] || {{ echo "{part}" >&2; exit {NOT_DONE}; }}',
        f'printf "%s\\n" {q(made)} >"$new.part/made"',
        'sync -f "$new.part"; mv -T "$new.part" "$new"; sync "$own"',
    ]


def back_up(places: Places, *, was: str, ids: Sequence[str], images: Sequence[str], repository: str) -> list[str]:
    """Keep everything that will change as it is, once: files, what docker says of the containers, and their images."""
    lines = [
        f"copy={q(places.backup)}",
        'rm -rf "$copy.part"; mkdir -p "$copy.part"; chmod 700 "$copy.part"',
        '[ ! -f "$override" ] || cp -p "$override" "$copy.part/override.yaml"',
        'for one in applied base.yaml; do [ ! -f "$own/$one" ] || cp -p "$own/$one" "$copy.part/$one"; done',
        *(f"dock tag {q(one)} {q(f'{repository}:{short(one)}')}" for one in images),
    ]
    if ids:
        lines.append(f'(umask 077; dock inspect --type container {shlex.join(ids)} >"$copy.part/inspect.json")')
    return [
        *lines,
        f'printf "%s\\n" {q(was)} >"$copy.part/was"',
        'sync -f "$copy.part"; mv -T "$copy.part" "$copy"; sync "$own"',
    ]


def take_over(places: Places, kept: str) -> list[str]:
    """Keep what an attempt that broke off has kept, for that is how it was."""
    return [
        f"copy={q(places.backup)}",
        f'rm -rf "$copy.part"; cp -a "$own"/{q(kept)} "$copy.part"',
        'sync -f "$copy.part"; mv -T "$copy.part" "$copy"; sync "$own"',
    ]


def place(places: Places) -> list[str]:
    """Let the new override take its place."""
    return [f'put {q(places.staged)}/override.yaml "$override" 0644']


def applied(places: Places, made: str) -> list[str]:
    """Remember from what the containers were made."""
    return [
        f'cp -p {q(places.staged)}/base.yaml "$own/base.yaml.new"; mv -fT "$own/base.yaml.new" "$own/base.yaml"',
        f'keep "$own/applied" {q(made)}" $(sha256sum <"$override" | cut -c1-16)"',
    ]


def up(spec: ComposeSpec, *, count: int, bound_s: int, instead: str = "") -> list[str]:
    """Let compose make the service as its files and ours say; how that ended is said, not raised."""
    scale = f" --scale {q(f'{spec.service}={count}')}" if count > 1 else ""
    return [
        *files(spec, instead=instead),
        'if [ -f "$override" ]; then set -- "$@" -f "$override"; fi',
        f"code=0; bound={bound_s}; which_compose",
        (
            f'compose "$@" up -d --no-deps --no-build -t {spec.stop_grace_s}{scale} {q(spec.service)} '
            '</dev/null >"$own/output" 2>&1 || code=$?'
        ),
        f"bound={_CONTROL_S}",
        'if [ "$code" != 0 ]; then',
        '  say code "$code"; say said "$(tail -c 2000 "$own/output" | tr "\\n\\t" "  ")"; exit 0',
        "fi",
    ]


def remove(ids: Sequence[str], *, grace_s: int, volumes: bool) -> list[str]:
    """Stop containers and take them away; gone already is as good."""
    if not ids:
        return []
    flags = "-f -v" if volumes else "-f"
    return [
        f"bound={grace_s + _CONTROL_S}; dock stop -t {grace_s} {shlex.join(ids)} >/dev/null 2>&1 || :",
        f"bound={_CONTROL_S}; dock rm {flags} {shlex.join(ids)} >/dev/null 2>&1 || :",
    ]


def start_again(containers: Sequence[tuple[str, str, str, bool]]) -> list[str]:
    """(id, name now, name before, whether it ran): the very containers that were there, under their names."""
    lines = []
    for container_id, now, before, ran in containers:
        if now != before:
            lines.append(f"dock rename {q(container_id)} {q(before)}")
        if ran:
            lines.append(f"dock start {q(container_id)} >/dev/null")
    return lines


def restore(places: Places) -> list[str]:
    """Put the files of ours back as they were; what was not there is taken away again."""
    return [
        f"copy={q(places.backup)}",
        'if [ -e "$copy/override.yaml" ]; then put "$copy/override.yaml" "$override" ""; else rm -f "$override"; fi',
        (
            'for one in applied base.yaml; do if [ -e "$copy/$one" ]; then put "$copy/$one" "$own/$one" ""; '
            'else rm -f "$own/$one"; fi; done'
        ),
    ]


def pin(image: str, image_id: str, pinned: str) -> list[str]:
    """Unless the name still means the very image that ran, write the override that names it."""
    return [
        f'if [ "$(dock image inspect --format "{{{{.Id}}}}" {q(image)} 2>/dev/null || :)" != {q(image_id)} ]; then',
        f'  printf "%s" {q(pinned)} >"$own/pin"; put "$own/pin" "$override" 0644; rm -f "$own/pin"',
        "fi",
    ]


def clean_up(repository: str, keep: Sequence[str]) -> list[str]:
    """Remove what attempts left, and our names of images that neither run nor are gone back to."""
    stay = " ".join(q(f"{repository}:{short(one)}") for one in keep)
    return [
        f'for one in $(dock images --format "{{{{.Repository}}}}:{{{{.Tag}}}}" {q(repository)}); do',
        f'  case " {stay} " in *" $one "*) ;; *) dock rmi "$one" >/dev/null 2>&1 || : ;; esac',
        "done",
        'rm -rf "$own"/new-* "$own"/backup-* "$own/output"',
    ]


def discard(places: Places) -> list[str]:
    """Remove what this attempt staged and kept."""
    made = (places.staged, f"{places.staged}.part", places.backup, f"{places.backup}.part")
    return [f'rm -rf {shlex.join(made)} "$own/output"']


def short(image_id: str) -> str:
    """An image's id as the tag of its kept name."""
    return image_id.rpartition(":")[2][:12]


def digests(images: Sequence[str]) -> list[str]:
    """Say under which digests images came from registries."""
    words = "{{.Id}} {{range .RepoDigests}}{{.}} {{end}}"
    return [f"dock image inspect --format {q(words)} {shlex.join(images)} 2>/dev/null || :"]


def logs(container_id: str, lines: int) -> list[str]:
    """Say the last words of a container."""
    return [f"dock logs --tail {lines} {q(container_id)} 2>&1 | tail -c 8000"]


def check(docker: Sequence[str]) -> list[str]:
    """Say what the host is and what it lacks."""
    return [
        *GROUND,
        *commands(docker, ()),
        'say system "$(uname -sr) $(uname -m)"; say user "$(id -un)"',
        f'lacks=; for one in {TOOLS}; do command -v "$one" >/dev/null 2>&1 || lacks="$lacks $one"; done; say lacks "$lacks"',
        '[ -z "$lacks" ] || exit 0',
        # Kept first: what goes wrong inside of a word is not noticed.
        'engine=$(dock version --format "{{.Server.Version}}"); say engine "$engine"',
        'which_compose; release=$(compose version --short); say with "$with"; say compose "$release"',
    ]
