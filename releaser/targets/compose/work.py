"""Each step, carried out: look, then do what is missing, then tell in one line what was done or found.

Every method is idempotent and may follow a crash of any other at any point, and a compose that was killed in its midst. What ran
before is kept until the commit: our file, docker's description of the containers, and their images under a name of ours.

What does not live here: the order of the steps (`steps`) and whether the outcome is healthy (`gate`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import IO, Final

from releaser.domain.spec import ComposeSpec, of_kind
from releaser.domain.target import Assignment
from releaser.targets.compose import scripts
from releaser.targets.compose.faults import from_command, is_engine_down
from releaser.targets.compose.override import kept_repository, override, written
from releaser.targets.compose.scene import Applied, Kept, Scene, image_id, look, resolved, runs
from releaser.targets.compose.scripts import Places
from releaser.targets.compose.steps import StepName
from releaser.targets.docker.faults import from_pull
from releaser.targets.docker.scene import Found
from releaser.targets.hosts.faults import FENCED
from releaser.targets.hosts.fencing import fenced, q
from releaser.targets.hosts.shell import Answer, Feed, Shell
from releaser.targets.target import InconsistentError

_UP_S: Final = 60


class Work:
    """One assignment on one host. `timeout_s` bounds a look and a small change, `pull_timeout_s` the fetching of an image."""

    def __init__(
        self, shell: Shell, assignment: Assignment, *, timeout_s: float, pull_timeout_s: float, lock_wait_s: int
    ) -> None:
        self._shell = shell
        self._assignment = assignment
        self._timeout_s = timeout_s
        self._pull_timeout_s = pull_timeout_s
        self._lock_wait_s = lock_wait_s
        self._desired, self._previous = assignment.desired, assignment.previous
        self._spec = of_kind(self._desired.spec, ComposeSpec)
        self._places = Places.of(self._spec, assignment)
        self._kept = kept_repository(self._spec)

    def carry_out(self, name: StepName) -> str:
        """The step of this name; one line for the journal."""
        scene = look(
            self._shell, self._assignment, timeout_s=self._timeout_s + self._lock_wait_s, settled_s=self._lock_wait_s
        )
        actions: Mapping[StepName, Callable[[Scene], str]] = {
            StepName.PULL: self._pull,
            StepName.STAGE: self._stage,
            StepName.BACK_UP: self._back_up,
            StepName.RECREATE: self._recreate,
            StepName.CLEAN_UP: self._clean_up,
            StepName.RESTORE: self._restore,
            StepName.RECREATE_BACK: self._recreate_back,
            StepName.DISCARD: self._discard,
        }
        return actions[name](scene)

    # Prepare

    def _pull(self, _: Scene) -> str:
        wanted = self._desired
        lines = scripts.pull(wanted.reference, self._kept, round(self._pull_timeout_s))
        told = self._told(self._do(lines, what="fetch the image", timeout_s=self._pull_timeout_s + self._timeout_s))
        if told.get("code") != "0":
            said = told.get("said", "")
            if is_engine_down(said):
                raise from_command(1, said, what="fetch the image", address=self._shell.address)
            raise from_pull(said, image=wanted.image, digest=wanted.digest, address=self._shell.address)
        return f"pulled {wanted.reference}" if told.get("pulled") else f"{wanted.reference} is there already"

    def _stage(self, scene: Scene) -> str:
        if scene.staged is not None and scene.staged.prints == scene.prints:
            return "the new override is staged already"
        text, service = resolved(
            self._shell, self._spec, places=self._places, timeout_s=self._timeout_s + self._lock_wait_s
        )
        made = Applied(tag=self._places.tag, service=service, prints=scene.prints)
        project = text.encode()

        def feed(into: IO[bytes]) -> None:
            into.write(project)

        lines = scripts.stage(
            self._places,
            override=override(self._desired, self._assignment),
            size=len(project),
            made=made.made,
        )
        self._do(lines, what="stage the override", feed=feed)
        return f"compose accepts the project; staged the override for {self._desired.version}"

    # Cut over

    def _back_up(self, scene: Scene) -> str:
        if scene.was is not None:
            return "everything is kept already as it was"
        if scene.staged is None:
            self._stage(scene)
        if kept := self._kept_by_another(scene):
            self._do(scripts.take_over(self._places, kept), what="keep what was there")
            return f"kept what {kept} holds, of an attempt that broke off"
        before = [_kept(one) for one in scene.before(self._assignment)]
        lines = scripts.back_up(
            self._places,
            was=json.dumps([asdict(one) for one in before]),
            ids=[one.id for one in before],
            images=list(dict.fromkeys(one.image_id for one in before)),
            repository=self._kept,
        )
        self._do(lines, what="keep what is there")
        return f"kept the override, {len(before)} containers' descriptions and their images"

    def _kept_by_another(self, scene: Scene) -> str:
        """The oldest of the backups that attempts which ended nowhere left, unless what is recorded runs again."""
        previous, there = self._previous, scene.containers
        if previous is not None and there and all(one.is_up and runs(one, previous) for one in there):
            return ""
        numbered = ((re.fullmatch(r"backup-(\d+)-(\d+)", name), name) for name in scene.kept)
        found = sorted((int(one[1]), int(one[2]), name) for one, name in numbered if one)
        return found[0][2] if found else ""

    def _recreate(self, scene: Scene) -> str:
        was = self._begun(scene)
        mine, old = scene.of_attempt(self._assignment), scene.before(self._assignment)
        staged = scene.staged
        if staged is None or staged.prints != scene.prints:
            # Somebody touched a file since: what compose reads now is what counts.
            self._stage(scene)
            staged = look(self._shell, self._assignment, timeout_s=self._timeout_s).staged
        made = staged.made if staged is not None else ""
        if mine and not old and all(one.is_up and runs(one, self._desired) for one in mine):
            if scene.applied is None or scene.applied.made != made:
                self._do(scripts.applied(self._places, made), what="remember what was made")
            return f"{_names(mine)} runs already"
        # A compose that was killed leaves halves: of the new ones what does not run, of the old ones what the new replaced.
        halves = [one.id for one in (old if any(one.is_up for one in mine) else mine)]
        self._up(
            [
                *scripts.remove(halves, grace_s=self._spec.stop_grace_s, volumes=False),
                *scripts.place(self._places),
            ],
            count=len(was),
            after=scripts.applied(self._places, made),
        )
        return f"compose made {self._spec.service} from {self._desired.reference}"

    # Commit

    def _clean_up(self, scene: Scene) -> str:
        mine = scene.of_attempt(self._assignment)
        if not any(runs(one, self._desired) for one in mine):
            raise InconsistentError(
                f"No container of {self._spec.project}/{self._spec.service} on {self._assignment.host} was made by this "
                "attempt; everything is kept.",
                permanent=True,
                advice="Look at the host; somebody else made the service anew.",
                target=self._assignment.target,
            )
        keep = [image_id(one) for one in mine] + [one.image_id for one in scene.was or ()]
        if scene.was is None:
            return "everything is removed already"
        self._do(scripts.clean_up(self._kept, keep), what="remove what is old")
        return "removed the backup; the image before is kept"

    # Roll back

    def _restore(self, scene: Scene) -> str:
        if scene.was is None:
            return "nothing was touched"
        self._do(scripts.restore(self._places), what="put the override back")
        return "the override is as it was"

    def _recreate_back(self, scene: Scene) -> str:
        if scene.was is None:
            return "nothing was touched"
        mine, old = scene.of_attempt(self._assignment), scene.before(self._assignment)
        remove = scripts.remove([one.id for one in mine], grace_s=self._spec.stop_grace_s, volumes=not scene.was)
        by_id = {one.id: one for one in old}
        if all(kept.id in by_id for kept in scene.was) and (scene.was or self._previous is None):
            return self._start_again(scene.was, by_id, remove, len(mine))
        if not mine and old and all(one.is_up and self._is_old(one, scene.was) for one in old):
            return f"{_names(old)} runs as before already"
        return self._up_again(scene, scene.was)

    def _start_again(self, was: Sequence[Kept], by_id: Mapping[str, Found], remove: Sequence[str], made: int) -> str:
        """The very containers that were there are there still: the cutover did not get far, or made something besides."""
        again = [(one.id, by_id[one.id].name, one.name, one.running and not by_id[one.id].is_up) for one in was]
        lines = [*remove, *scripts.start_again(again)]
        if not lines:
            return "what was there runs untouched"
        self._do(lines, what="start what was there", timeout_s=self._spec.stop_grace_s + _UP_S + self._timeout_s)
        return f"removed {made} new containers" if not was else f"{', '.join(one.name for one in was)} is there again"

    def _up_again(self, scene: Scene, was: Sequence[Kept]) -> str:
        """Compose makes it anew as it was: by our file from before, and the project's as they were then."""
        applied = scene.applied
        touched = applied is not None and applied.prints != scene.prints
        before: list[str] = []
        if self._previous is None and was:
            pinned = written(self._spec, image=f"{self._kept}:{scripts.short(was[0].image_id)}", labels={})
            before = scripts.pin(was[0].image, was[0].image_id, pinned)
        elif self._previous is not None and not scene.override:
            # It was gone before we came: made again from what is recorded.
            text = override(self._previous, self._assignment)
            before = [f'printf "%s" {q(text)} >"$own/again"; put "$own/again" "$override" 0644; rm -f "$own/again"']
        instead = f"{self._places.own}/base.yaml" if touched else ""
        self._up(before, count=len(was), instead=instead)
        kept = ", from the project as it was kept" if instead else ""
        return f"compose made {self._spec.service} as it was{kept}"

    def _discard(self, scene: Scene) -> str:
        keep = [one.image_id for one in scene.was or ()] + [image_id(one) for one in scene.containers]
        lines = [*scripts.clean_up(self._kept, keep), *scripts.discard(self._places)] if scene.was is not None else []
        self._do(lines or scripts.discard(self._places), what="remove what is new")
        return "removed what was staged and kept"

    # Parts

    def _is_old(self, found: Found, was: Sequence[Kept]) -> bool:
        """Whether a container is what ran before, made anew."""
        if self._previous is not None:
            return runs(found, self._previous)
        return image_id(found) in {one.image_id for one in was}

    def _up(self, before: Sequence[str], *, count: int, after: Sequence[str] = (), instead: str = "") -> None:
        """Let compose make the service. Raises what it refused."""
        grace = max(self._spec.stop_grace_s, self._previous.spec.stop_grace_s if self._previous else 0)
        bound = 2 * grace * max(count, 1) + _UP_S
        lines = [*before, *scripts.up(self._spec, count=count, bound_s=bound, instead=instead), *after]
        told = self._told(
            self._do(lines, what="make the service anew", timeout_s=bound + grace + _UP_S + self._timeout_s)
        )
        if (code := told.get("code", "0")) != "0":
            said = told.get("said", "")
            raise from_command(int(code), said, what="make the service anew", address=self._shell.address)

    def _begun(self, scene: Scene) -> tuple[Kept, ...]:
        if scene.was is None:
            raise InconsistentError(
                f"What was there before is no longer kept at {self._places.backup}.",
                permanent=True,
                advice="Somebody removed it; look at the host before anything else is changed.",
                target=self._assignment.target,
            )
        return scene.was

    def _do(
        self, lines: Sequence[str], *, what: str, feed: Feed | None = None, timeout_s: float | None = None
    ) -> Answer:
        """Change something, under the lock and past the fence."""
        script = [*scripts.changing(self._places, self._assignment.generation, lock_wait_s=self._lock_wait_s), *lines]
        answer = self._shell.run(script, timeout_s=(timeout_s or self._timeout_s) + self._lock_wait_s, feed=feed)
        if answer.code == FENCED:
            found = answer.out.rpartition("\t")[2].strip()
            raise fenced(self._assignment, int(found) if found.isdecimal() else 0)
        if answer.code:
            raise from_command(answer.code, answer.err, what=what, address=self._shell.address)
        return answer

    @staticmethod
    def _told(answer: Answer) -> dict[str, str]:
        return dict(line.split("\t", 1) for line in answer.out.splitlines() if "\t" in line)


def _kept(found: Found) -> Kept:
    return Kept(
        id=found.id,
        name=found.name,
        image_id=image_id(found),
        image=str(found.raw["Config"].get("Image", "")),
        running=found.is_up,
    )


def _names(found: Sequence[Found]) -> str:
    return ", ".join(one.name for one in found)
