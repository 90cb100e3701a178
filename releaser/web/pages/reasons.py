"""Why something came to be, in a reader's words: what the service and its drivers say by themselves is known here by its form.

What people wrote, and what engines and programs said, is shown as it is.
"""

from __future__ import annotations

import re

from releaser.i18n import Translator, mark

_PLAIN = {
    "every wave succeeded": mark("every wave succeeded"),
    "already installed everywhere": mark("already installed everywhere"),
    "no announced notice covers the stop now": mark("no announced notice covers the stop now"),
    "what is there changed since the plan was approved": mark("what is there changed since the plan was approved"),
    "rehearsed: every target could be prepared": mark("rehearsed: every target could be prepared"),
    "nothing stops": mark("nothing stops"),
    "is not meant any more": mark("is not meant any more"),
    "the state before is back": mark("the state before is back"),
    "nothing runs, as before the rollout": mark("nothing runs, as before the rollout"),
    "the engine did not answer": mark("the engine did not answer"),
    "it is as recorded again": mark("it is as recorded again"),
    "made by: a rollout → somebody else": mark("made by somebody else, not by a rollout"),
    "a target is inconsistent and needs a person": mark("a target is inconsistent and needs a person"),
    "prepare did not end in time": mark("the preparation did not end in time"),
    "cut-over did not end in time": mark("the cutover did not end in time"),
    "roll-back did not end in time": mark("the roll-back did not end in time"),
    "The fix runs.": mark("The fix runs."),
    "The fix does not run any more: an older version was installed.": mark(
        "The fix does not run any more: an older version was installed."
    ),
}
_LEADING = {
    "not healthy in time: ": mark("not healthy in time: {why}"),
    "failed while soaking: ": mark("failed while soaking: {why}"),
    "could not be rolled back: ": mark("could not be rolled back: {why}"),
    "left over: ": mark("left over: {why}"),
    "trying again: ": mark("trying again: {why}"),
    "could not begin yet: ": mark("could not begin yet: {why}"),
}
_NAME = r"(?P<name>\S+)"
_LOG = r"(?: \(exit code (?P<code>\S+): (?P<log>.*)\))?"
_FORMS = tuple(
    (re.compile(pattern, re.DOTALL), message)
    for pattern, message in (
        (
            r"(?P<failed>\d+) of (?P<total>\d+) targets of wave (?P<wave>\d+) failed, (?P<threshold>\d+) may",
            mark("Wave {wave}: {failed} of {total} targets failed, allowed are {threshold}"),
        ),
        (r"no container of target (?P<target>\d+) runs (?P<version>\S+)", mark("no container runs {version}")),
        (rf"{_NAME} is not started yet", mark("{name} is not started yet")),
        (rf"{_NAME} is paused", mark("{name} is paused")),
        (rf"{_NAME} is being removed", mark("{name} is being removed")),
        (
            rf"{_NAME} runs (?P<digest>\S+), not the wanted (?P<wanted>.+)",
            mark("{name} runs {digest}, not the wanted {wanted}"),
        ),
        (
            rf"{_NAME} was made from another configuration than the wanted one",
            mark("{name} was made from another configuration than the wanted one"),
        ),
        (
            rf"the engine's check of {_NAME} has not passed yet{_LOG}",
            mark("the engine's check of {name} has not passed yet"),
        ),
        (rf"the engine's check of {_NAME} fails{_LOG}", mark("the engine's check of {name} fails")),
        (rf"{_NAME} has no address to probe yet \((?P<url>.*)\)", mark("{name} has no address to probe yet ({url})")),
        (r"(?P<url>\S+) does not answer: (?P<error>.*)", mark("{url} does not answer: {error}")),
        (
            r"(?P<url>\S+) answers (?P<status>\d+), not (?P<expected>\d+)",
            mark("{url} answers {status}, not {expected}"),
        ),
        (rf"{_NAME} is up, the engine's check passes", mark("{name} is up, the engine's check passes")),
        (
            rf"{_NAME} is up, (?P<url>\S+) answers (?P<status>\d+)(?: and the engine's check passes)?",
            mark("{name} is up, {url} answers {status}"),
        ),
        (
            r"(?P<name>.+) is active, (?P<url>\S+) answers (?P<status>\d+)",
            mark("{name} is up, {url} answers {status}"),
        ),
        (r"(?P<name>.+) is active for (?P<up>\S+) of (?P<whole>\S+) s", mark("{name} is up for {up} of {whole} s")),
        (
            r"(?P<name>.+) stayed active for (?P<whole>\S+) s \(no probe\)",
            mark("{name} stayed up for {whole} s (no check and no probe)"),
        ),
        (rf"{_NAME} is up for (?P<up>\S+) of (?P<whole>\S+) s", mark("{name} is up for {up} of {whole} s")),
        (
            rf"{_NAME} stayed up for (?P<whole>\S+) s \(no check and no probe\)",
            mark("{name} stayed up for {whole} s (no check and no probe)"),
        ),
        (
            r"pinned to (?P<version>\S+) for (?P<ticket>\S+) by (?P<who>.+?): (?P<why>.*)",
            mark("pinned to {version} for {ticket} by {who}: {why}"),
        ),
        (r"rollout (?P<n>\d+)", mark("rollout {n}")),
        (r"nothing runs, recorded is (?P<version>\S+)", mark("nothing runs, recorded is {version}")),
        (
            r"another image runs: (?P<observed>.+) instead of (?P<recorded>.+)",
            mark("another image runs: {observed} instead of {recorded}"),
        ),
        (rf"{_NAME} runs besides", mark("{name} runs besides")),
        (rf"{_NAME} is (?P<state>exited|created|restarting|dead)", mark("{name} does not run ({state})")),
        (r"(?P<what>[^:;]+): changed", mark("{what}: changed")),
        (r"(?P<what>[^:;]+): added", mark("{what}: added")),
        (r"(?P<what>[^:;]+): removed", mark("{what}: removed")),
        (r"revision (?P<n>\d+)", mark("revision {n}")),
        (r"the front has no server of (?P<names>.+)", mark("the front knows nothing of {names}")),
        (r"(?P<n>\d+) requests are still under way", mark("requests still under way: {n}")),
        (r"(?P<n>\d+) requests are cut off after (?P<s>\S+) s", mark("requests cut off after {s} s: {n}")),
        (r"(?P<version>\S+) was yanked", mark("{version} was yanked")),
        (r"(?P<version>\S+) was yanked: (?P<why>.*)", mark("{version} was yanked: {why}")),
        (r"rollout (?P<n>\d+) has not ended", mark("rollout {n} has not ended")),
        (r"freeze (?P<n>\d+) until (?P<when>\S+ \S+): (?P<why>.*)", mark("freeze {n} until {when}: {why}")),
        (r"rollout (?P<n>\d+) is at work at the customer", mark("rollout {n} is at work at the customer")),
        (
            r"(?P<by>.{1,200}) \((?P<customer>\S+)\) has not agreed yet",
            mark("{by} ({customer}) has not agreed yet"),
        ),
        (
            r"(?P<by>.{1,200}) \((?P<customer>\S+)\) agreed before it was known that (?P<module>\S+) stops",
            mark("{by} ({customer}) agreed before it was known that {module} stops"),
        ),
        (r"(?P<who>.{1,200}?) did not agree: (?P<why>.*)", mark("{who} did not agree: {why}")),
        (
            r"(?P<who>.{1,200}?) did not agree \((?P<names>[^()]*)\): (?P<why>.*)",
            mark("{who} did not agree ({names}): {why}"),
        ),
        (r"(?P<who>.{1,200}?) agreed \((?P<names>[^()]*)\)", mark("{who} agreed ({names})")),
        (
            r"(?P<who>.{1,200}?) agreed \((?P<names>[^()]*)\): (?P<note>.*)",
            mark("{who} agreed ({names}): {note}"),
        ),
        (
            r"every wave succeeded, (?P<n>\d+) skipped",
            mark("every wave succeeded; targets that were skipped: {n}"),
        ),
        (r"announced for (?P<when>\S+ \S+)", mark("announced for {when}")),
        (r"the window opens (?P<when>\S+ \S+)", mark("the window opens {when}")),
        (
            r"the window closes (?P<when>\S+ \S+), too soon for (?P<s>\S+) s; the next opens (?P<next>\S+ \S+)",
            mark("the window closes {when}, too soon for {s} s; the next one opens {next}"),
        ),
        (
            r"wave (?P<n>\d+) is done, and somebody has to let wave (?P<next>\d+) begin",
            mark("wave {n} is done, and somebody has to let wave {next} begin"),
        ),
        (
            r"wave (?P<n>\d+) fell ill while it was watched: (?P<why>.*)",
            mark("wave {n} fell ill while it was watched: {why}"),
        ),
        (
            r"freeze (?P<n>\d+) \((?P<what>.*)\) was overridden: (?P<why>.*)",
            mark("freeze {n} ({what}) was overridden: {why}"),
        ),
        (r"waited too long for the (?P<what>\S+)", mark("waited too long ({what})")),
        (
            r"rehearsed: (?P<n>\d+) targets could not be prepared",
            mark("rehearsed; targets that could not be prepared: {n}"),
        ),
        (
            r"superseded by rollout (?P<n>\d+) of (?P<version>\S+)",
            mark("rollout {n} of {version} took its place"),
        ),
        (
            r"could not begin by (?P<when>\S+ \S+), so plan it again: (?P<why>.*)",
            mark("could not begin by {when}, so it has to be planned again: {why}"),
        ),
        (
            r"(?P<why>.*); the version is not safe to roll back, so it was left as it is: roll a mended version out there",
            mark(
                "{why}; the version is not safe to roll back, so it was left as it is: roll a mended version out there"
            ),
        ),
        (r"there is no service of target (?P<target>\S+)", mark("there is no such service")),
        (
            r"the swarm takes (?P<name>\S+) back by itself: (?P<why>.*)",
            mark("the swarm takes {name} back by itself: {why}"),
        ),
        (
            r"the swarm paused the update of (?P<name>\S+): (?P<why>.*)",
            mark("the swarm paused the update of {name}: {why}"),
        ),
        (
            r"the swarm took the update back by itself \((?P<state>\S+)\) of (?P<name>\S+): (?P<why>.*)",
            mark("the swarm took the update of {name} back by itself ({state}): {why}"),
        ),
        (
            r"(?P<n>\d+) of (?P<all>\d+) tasks of (?P<name>\S+) run what is wanted(?P<rest>.*)",
            mark("{name}: {n} of {all} tasks run what is wanted{rest}"),
        ),
        (
            r"all (?P<n>\d+) tasks of (?P<name>\S+) run, and the swarm watches them still(?P<rest>.*)",
            mark("{name}: all {n} tasks run, and the swarm watches them still{rest}"),
        ),
        (
            r"(?P<name>\S+): (?P<n>\d+) of (?P<all>\d+) tasks run on (?P<rest>.*)",
            mark("{name}: {n} of {all} tasks run on {rest}"),
        ),
    )
)
_EXITED = re.compile(
    rf"{_NAME} (?:exited|was restarted (?P<times>\d+) times) \(exit code (?P<code>-?\d+)(?P<oom>, out of memory)?\)"
    r"(?:; its last words: (?P<said>.*)|, without a word)",
    re.DOTALL,
)
_STEPS = {
    "pull": mark("pull the image"),
    "create": mark("create the new one"),
    "disable-restart": mark("keep the old one from restarting"),
    "stop-old": mark("stop the old one"),
    "rename-old": mark("set the old one's name aside"),
    "rename-new": mark("give the new one the name"),
    "start-new": mark("start the new one"),
    "attach-alias": mark("lead the traffic to the new one"),
    "detach-old": mark("take the old one off the traffic"),
    "remove-old": mark("remove the old one"),
    "restore-old": mark("put the old one back"),
    "start-old": mark("start the old one"),
    "attach-old": mark("lead the traffic to the old one"),
    "stop-new": mark("stop the new one"),
    "rename-back": mark("give the old one its name back"),
    "remove-new": mark("remove the new one"),
    "hand-over": mark("stop the old one while the new one starts"),
    "swap-in": mark("move the port to the new one"),
    "swap-back": mark("move the port back to the old one"),
    "front-check": mark("ask the front whether it can be steered"),
    "front-create": mark("create the front"),
    "front-start": mark("start the front"),
    "front-stop": mark("stop the front"),
    "front-put": mark("put the new one behind the front"),
    "front-drain": mark("let the old one end its requests"),
    "front-back": mark("put the old one behind the front again"),
    "unpack": mark("unpack the new version"),
    "stage-configuration": mark("lay the new configuration ready"),
    "validate": mark("have the new files validated"),
    "back-up": mark("keep everything as it is"),
    "stop-service": mark("stop the service"),
    "place-configuration": mark("put the new configuration in place"),
    "switch-link": mark("switch to the new version"),
    "start-service": mark("start the service"),
    "clean-up": mark("remove what is no longer needed"),
    "stop-new-service": mark("stop the new version"),
    "restore-configuration": mark("put the old configuration back"),
    "switch-link-back": mark("switch back to the old version"),
    "start-old-service": mark("start the old version"),
    "discard-new": mark("remove the new version"),
    "stage-override": mark("lay the new images' digests ready"),
    "compose-up": mark("have compose make the new ones"),
    "compose-up-old": mark("have compose make the old ones again"),
    "restore-override": mark("put the old images' digests back"),
    "find-image": mark("find the image"),
    "claim-service": mark("claim the service"),
    "create-service": mark("create the service"),
    "update-service": mark("have the swarm update the service"),
    "restore-service": mark("have the swarm take the service back"),
    "forget-before": mark("forget what was kept to go back"),
    "let-go": mark("let the service go"),
    "proxy-create": mark("create the proxy"),
    "proxy-change": mark("lead the proxy to the new ones"),
    "proxy-back": mark("lead the proxy back to the old ones"),
}


def reason_of(reason: str, t: Translator) -> str:
    """A reason that the service or a driver gives by itself, in the reader's words; any other as it is."""
    if reason in _PLAIN:
        return t(_PLAIN[reason])
    for beginning, message in _LEADING.items():
        if reason.startswith(beginning):
            return t(message, why=reason_of(reason.removeprefix(beginning), t))
    if exited := _EXITED.fullmatch(reason):
        return _exited(exited, t)
    for form, message in _FORMS:
        if found := form.fullmatch(reason):
            values = found.groupdict()
            text = t(message, **values)
            return t("{what} (exit code {code}: {log})", what=text, **values) if values.get("log") else text
    return reason


def _exited(found: re.Match[str], t: Translator) -> str:
    name, code, times = found["name"], found["code"], found["times"]
    said = (
        t("{name} was restarted {times} times, exit code {code}", name=name, times=times, code=code)
        if times
        else t("{name} ended with exit code {code}", name=name, code=code)
    )
    if found["oom"]:
        said = t("{what}, out of memory", what=said)
    return t("{what}; its last words: {words}", what=said, words=found["said"]) if found["said"] else said


def step_of(name: str, t: Translator) -> str:
    """A step of an update in the reader's words; what follows a colon is the name of something and stays.

    `start-new#2-3` is for the replicas 2 and 3.
    """
    step, colon, of = name.partition(":")
    step, _, slots = step.partition("#")
    told = t(_STEPS[step]) if step in _STEPS else step.replace("-", " ")
    told = t("{what}, replica {numbers}", what=told, numbers=slots.replace("-", "–")) if slots else told
    return f"{told}: {of}" if colon else told
