"""Each step, carried out: look, then do what is missing, then tell in one line what was done or found.

Every method is idempotent and may follow a crash of any other at any point. Nothing that serves is removed before the
commit, and no release without our mark is ever removed.

What does not live here: the order of the steps (`steps`) and whether the outcome is healthy (`gate`).
"""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Protocol

from releaser.domain.spec import ConfigurationFile, FilesSpec, config_hash, of_kind
from releaser.domain.target import Assignment, Desired
from releaser.targets.files import archive, scripts
from releaser.targets.files.archive import Limits
from releaser.targets.files.daemon import Service
from releaser.targets.files.scene import (
    RELEASES,
    Configured,
    Mark,
    Scene,
    content_hash,
    folder_name,
    look,
    paths_of,
    services_of,
    shape_of,
)
from releaser.targets.files.scripts import Places
from releaser.targets.files.steps import StepName
from releaser.targets.hosts.faults import FENCED, from_script, one_line, sentence
from releaser.targets.hosts.fencing import fenced, q
from releaser.targets.hosts.shell import Answer, Feed, Shell
from releaser.targets.target import ConfigurationRefusedError, InconsistentError, NameTakenError

_VALIDATOR_S = 120


class Fetch(Protocol):
    """Where artifacts come from."""

    def __call__(self, address: str, digest: str) -> Path:
        """A file of this machine whose SHA-256 is `digest` (`sha256:…`), fetched from `address` where it is not here yet."""
        ...


class Work:
    """One assignment on one host. `timeout_s` bounds a look and a small change, `send_timeout_s` the sending of a release."""

    def __init__(
        self,
        shell: Shell,
        assignment: Assignment,
        *,
        fetch: Fetch,
        limits: Limits,
        timeout_s: float,
        send_timeout_s: float,
        lock_wait_s: int,
    ) -> None:
        self._shell = shell
        self._assignment = assignment
        self._fetch = fetch
        self._limits = limits
        self._timeout_s = timeout_s
        self._send_timeout_s = send_timeout_s
        self._lock_wait_s = lock_wait_s
        self._desired, self._previous = assignment.desired, assignment.previous
        self._spec = of_kind(self._desired.spec, FilesSpec)
        self._before = of_kind(self._previous.spec, FilesSpec) if self._previous is not None else None
        self._places = Places.of(self._spec, assignment)

    def carry_out(self, name: StepName) -> str:
        """The step of this name; one line for the journal."""
        scene = self._look()
        actions: Mapping[StepName, Callable[[Scene], str]] = {
            StepName.UNPACK: lambda scene: self._unpack(scene, self._desired),
            StepName.STAGE: self._stage,
            StepName.VALIDATE: self._validate,
            StepName.BACK_UP: self._back_up,
            StepName.STOP: self._stop,
            StepName.PLACE: self._place,
            StepName.SWITCH: self._switch,
            StepName.START: self._start,
            StepName.CLEAN_UP: self._clean_up,
            StepName.STOP_BACK: self._stop_back,
            StepName.RESTORE: self._restore,
            StepName.SWITCH_BACK: self._switch_back,
            StepName.START_BACK: self._start_back,
            StepName.DISCARD: self._discard,
        }
        return actions[name](scene)

    # Prepare

    def _unpack(self, scene: Scene, wanted: Desired) -> str:
        if scene.is_blocked:
            raise NameTakenError(
                f"{self._spec.root}/current on {self._assignment.host} is a folder, not a link that can be switched.",
                advice=f"Move it to {self._spec.root}/releases/VERSION, and link `current` to that: ln -s releases/VERSION current.",
                target=self._assignment.target,
            )
        if (there := scene.release_of(wanted)) is not None:
            return f"{RELEASES}{there} is there already"
        name = self._free_name(scene, wanted)
        spec = of_kind(wanted.spec, FilesSpec)
        path = self._fetch(wanted.image, wanted.digest)
        count = archive.examine(path, strip=spec.strip, as_file=spec.as_file, limits=self._limits)
        mark = Mark(digest=wanted.digest, shape=shape_of(wanted), tag=self._places.tag, version=wanted.version)

        def feed(into: IO[bytes]) -> None:
            archive.send(path, into, strip=spec.strip, as_file=spec.as_file, limits=self._limits)

        self._do(
            scripts.unpack(self._places, name, mark.text),
            what=f"unpack {wanted.version}",
            feed=feed,
            timeout_s=self._send_timeout_s,
        )
        return f"unpacked {count} files and folders of {wanted.reference} to {RELEASES}{name}"

    def _free_name(self, scene: Scene, wanted: Desired) -> str:
        """The version; with some digits of the artifact where the version is there already, built otherwise."""
        name = folder_name(wanted.version)
        return name if name not in scene.releases else f"{name}-{wanted.digest.rpartition(':')[2][:8]}"

    def _stage(self, scene: Scene) -> str:
        if self._is_staged(scene):
            return "the new configuration is staged already"
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w", format=tarfile.GNU_FORMAT) as out:
            for one in self._spec.configuration:
                data = one.content.encode()
                info = tarfile.TarInfo(one.path.lstrip("/"))
                info.size, info.mode = len(data), int(one.mode, 8)
                out.addfile(info, io.BytesIO(data))

        def feed(into: IO[bytes]) -> None:
            into.write(content.getvalue())

        self._do(
            scripts.stage(self._places, self._spec.configuration),
            what="stage the configuration",
            feed=feed,
            timeout_s=self._send_timeout_s,
        )
        return f"staged {len(self._spec.configuration)} files of configuration"

    def _is_staged(self, scene: Scene) -> bool:
        return f"new-{self._places.tag}" in scene.own

    def _validate(self, scene: Scene) -> str:
        release = self._release(scene)
        answer = self._do(
            scripts.validate(self._places, self._spec.validator, release, _VALIDATOR_S),
            what="run the validator",
            timeout_s=_VALIDATOR_S + self._timeout_s,
        )
        told = dict(line.split("\t", 1) for line in answer.out.splitlines() if "\t" in line)
        said = one_line(told.get("said", ""))
        if told.get("code") != "0":
            raise ConfigurationRefusedError(
                f"The validator refused the new files (it ended with {told.get('code')}): {sentence(said or 'without a word')}",
                permanent=True,
                advice="Correct the configuration or the release; nothing was stopped.",
                target=self._assignment.target,
            )
        return f"the validator accepts the new files{f': {said}' if said else ''}"

    # Cut over

    def _back_up(self, scene: Scene) -> str:
        if scene.was is not None:
            return "everything is kept already as it was"
        self._release(scene)
        if not self._is_staged(scene):
            self._stage(scene)
        service, paths = Service.of(self._before or self._spec), paths_of(self._assignment)
        if kept := self._kept_by_another(scene):
            self._do(scripts.take_over(self._places, kept, paths), what="keep what was there")
            return f"kept what {kept} holds, of an attempt that broke off"
        self._do(scripts.back_up(self._places, service, paths), what="keep what is there")
        return f"kept {len(paths)} files and the link as they were"

    def _kept_by_another(self, scene: Scene) -> str:
        """The oldest of the backups that attempts which ended nowhere left, unless what is recorded runs again."""
        spec = self._before or self._spec
        if self._previous is not None and scene.runs(self._previous) and scene.service(spec).active:
            return ""
        numbered = ((re.fullmatch(r"backup-(\d+)-(\d+)", name), name) for name in scene.own)
        found = sorted((int(one[1]), int(one[2]), name) for one, name in numbered if one)
        return found[0][2] if found else ""

    def _stop(self, scene: Scene) -> str:
        self._check_begun(scene)
        if self._is_started(scene, self._places.tag):
            return f"{self._service.name} was started by this attempt already"
        return self._stop_all()

    def _place(self, scene: Scene) -> str:
        self._check_begun(scene)
        if scene.is_configured(self._spec) and self._is_mine(scene):
            return "the new configuration is in place already"
        if not self._is_staged(scene):
            self._stage(scene)
        files = self._spec.configuration
        state = Configured(
            config_hash=config_hash(self._spec),
            files={one.path: content_hash(one.content) for one in files},
            rollout=self._assignment.rollout,
            attempt=self._assignment.attempt,
        )
        paths = [one.path for one in files]
        placed = scene.configured.files if scene.configured is not None else ()
        before = (one.path for one in (self._before.configuration if self._before else ()))
        # Those of an attempt that broke off are declared no more either.
        gone = [path for path in dict.fromkeys((*before, *placed)) if path not in paths]
        self._do(scripts.place(self._places, files, gone, state.text), what="put the configuration in place")
        return f"put {len(files)} files of configuration in place{f', took {len(gone)} away' if gone else ''}"

    def _switch(self, scene: Scene) -> str:
        self._check_begun(scene)
        wanted = RELEASES + self._release(scene)
        if scene.current == wanted:
            return f"current leads to {wanted} already"
        self._do(scripts.switch(wanted), what="switch the link")
        return f"current leads to {wanted} now"

    def _start(self, scene: Scene) -> str:
        self._check_begun(scene)
        return self._ensure_started(scene, self._spec, self._places.tag)

    # Commit

    def _clean_up(self, scene: Scene) -> str:
        release = self._release(scene)
        if scene.current != RELEASES + release:
            raise InconsistentError(
                f"{self._spec.root}/current does not lead to {RELEASES}{release}; everything is kept.",
                permanent=True,
                advice="Look at the host; the cutover was not carried out to its end.",
                target=self._assignment.target,
            )
        before = scene.release_of(self._previous) if self._previous is not None else None
        kept = [release, *([before] if before and before != release else [])]
        more = max(0, self._spec.keep - (len(kept) - 1))
        answer = self._do(scripts.clean_up(kept, more), what="remove what is old", timeout_s=self._send_timeout_s)
        removed = [line.partition("\t")[2] for line in answer.out.splitlines() if line.startswith("removed\t")]
        return f"removed {', '.join(removed)}" if removed else "nothing older was there to be removed"

    # Roll back

    def _stop_back(self, scene: Scene) -> str:
        if scene.was is None:
            return "nothing was touched"
        if self._is_as_before(scene):
            return "what was there runs untouched"
        if self._is_started(scene, self._tag_back):
            return "what was there is started again already"
        return self._stop_all()

    def _restore(self, scene: Scene) -> str:
        if scene.was is None:
            return "nothing was touched"
        self._do(scripts.restore(self._places), what="put the configuration back")
        return "the configuration is as it was"

    def _switch_back(self, scene: Scene) -> str:
        if scene.was is None:
            return "nothing was touched"
        if scene.current == scene.was.current:
            return f"current leads to {scene.current or 'nowhere'}, as before"
        name = scene.was.current.removeprefix(RELEASES)
        if self._previous is not None and name not in scene.releases:
            return self._switch_to_recorded(scene, self._previous)
        self._do(scripts.switch(scene.was.current), what="switch the link back")
        return f"current leads to {scene.was.current or 'nowhere'} again"

    def _switch_to_recorded(self, scene: Scene, previous: Desired) -> str:
        """The release that was there is gone, or was none of ours: what is recorded to have run is unpacked again."""
        was = scene.was.current if scene.was is not None else ""
        if scene.release_of(previous) is None and was and self._exists(was):
            self._do(scripts.switch(was), what="switch the link back")
            return f"current leads to {was} again"
        done = self._unpack(scene, previous)
        name = self._look().release_of(previous)
        self._do(scripts.switch(f"{RELEASES}{name}"), what="switch the link back")
        return f"{done}; current leads there"

    def _exists(self, place: str) -> bool:
        whole = place if place.startswith("/") else f"{self._spec.root}/{place}"
        lines = [*scripts.ground(self._places), f"[ -d {q(whole)} ]"]
        return self._shell.run(lines, timeout_s=self._timeout_s).code == 0

    def _start_back(self, scene: Scene) -> str:
        spec = self._before or self._spec
        if scene.was is None:
            if self._previous is None or scene.service(spec).active or not scene.runs(self._previous):
                return "nothing was touched"
            return self._ensure_started(scene, spec, self._tag_back)
        if self._previous is None and not scene.was.active:
            return "nothing ran there before"
        if self._is_as_before(scene) and not self._is_started(scene, self._places.tag):
            return "what was there runs"
        return self._ensure_started(scene, spec, self._tag_back)

    def _discard(self, scene: Scene) -> str:
        name = scene.release_of(self._desired)
        mine = name is not None and scene.releases[name].tag == self._places.tag and scene.current != RELEASES + name
        self._do(
            scripts.discard(self._places, name if mine and name else ""),
            what="remove what is new",
            timeout_s=self._send_timeout_s,
        )
        return f"removed {RELEASES}{name} and what was staged" if mine else "removed what was staged"

    # Parts

    @property
    def _service(self) -> Service:
        return Service.of(self._spec)

    @property
    def _tag_back(self) -> str:
        return f"{self._places.tag}-back"

    def _look(self) -> Scene:
        return look(
            self._shell, self._assignment, timeout_s=self._timeout_s + self._lock_wait_s, settled_s=self._lock_wait_s
        )

    def _do(
        self, lines: Sequence[str], *, what: str, feed: Feed | None = None, timeout_s: float | None = None
    ) -> Answer:
        """Change something, under the lock and past the fence."""
        script = [
            *scripts.fenced(self._places, self._assignment.generation, lock_wait_s=self._lock_wait_s),
            *lines,
        ]
        bound = (timeout_s or self._timeout_s) + self._lock_wait_s
        answer = self._shell.run(script, timeout_s=bound, feed=feed)
        if answer.code == FENCED:
            found = answer.out.rpartition("\t")[2].strip()
            raise fenced(self._assignment, int(found) if found.isdecimal() else 0)
        if answer.code:
            raise from_script(answer.code, answer.err, what=what, address=self._shell.address)
        return answer

    def _release(self, scene: Scene) -> str:
        """The new release's folder. Raises when somebody removed it."""
        name = scene.release_of(self._desired)
        if name is None:
            self._unpack(scene, self._desired)
            name = self._look().release_of(self._desired)
        if name is None:
            raise InconsistentError(
                f"{self._desired.reference} was unpacked on {self._assignment.host}, and is not there.",
                permanent=True,
                advice="Look at the host: something else removes files there.",
                target=self._assignment.target,
            )
        return name

    def _check_begun(self, scene: Scene) -> None:
        if scene.was is None:
            raise InconsistentError(
                f"What was there before is no longer kept at {self._places.backup}.",
                permanent=True,
                advice="Somebody removed it; look at the host before anything else is changed.",
                target=self._assignment.target,
            )

    def _stop_all(self) -> str:
        grace = max(self._spec.stop_grace_s, self._before.stop_grace_s if self._before else 0)
        services = services_of(self._assignment)
        for service in services:
            self._do(service.stop(grace), what=f"stop {service.name}", timeout_s=2 * grace + 30 + self._timeout_s)
        return f"stopped {', '.join(service.name for service in services)}"

    def _ensure_started(self, scene: Scene, spec: FilesSpec, tag: str) -> str:
        """Running, and started after everything was in its place: what came up by itself in between may have the old files."""
        service, state = Service.of(spec), scene.service(spec)
        if (state.active or state.starting) and scene.started[0] == tag:
            return f"{service.name} runs already"
        bound = int(spec.health.deadline_s) + 5
        units = any("/systemd/" in one.path for one in self._all_files())
        lines = [
            *(service.stop(spec.stop_grace_s) if state.active or state.starting else ()),
            *(service.reload() if units else ()),
            *service.start(bound),
            *scripts.started(service, tag),
        ]
        self._do(lines, what=f"start {service.name}", timeout_s=bound + 2 * spec.stop_grace_s + 60 + self._timeout_s)
        return f"started {service.name}"

    def _all_files(self) -> Sequence[ConfigurationFile]:
        return (*self._spec.configuration, *(self._before.configuration if self._before else ()))

    def _is_started(self, scene: Scene, tag: str) -> bool:
        state = scene.service(self._before or self._spec if tag == self._tag_back else self._spec)
        return scene.started[0] == tag and (state.active or state.starting)

    def _is_mine(self, scene: Scene) -> bool:
        configured = scene.configured
        return configured is not None and f"{configured.rollout}-{configured.attempt}" == self._places.tag

    def _is_as_before(self, scene: Scene) -> bool:
        """Whether nothing of the cutover is to be seen: neither in the link, nor in the files, nor in the service."""
        spec = self._before or self._spec
        return (
            scene.was is not None
            and scene.current == scene.was.current
            and not self._is_mine(scene)
            and scene.service(spec).active
            and scene.started[0] != self._places.tag
            and (self._previous is None or scene.runs(self._previous))
        )
