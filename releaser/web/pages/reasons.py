"""Why something came to be, in a reader's words: what the service and its drivers say by themselves is known here by its form.

What people wrote, and what engines and programs said, is shown as it is.
"""

from __future__ import annotations

import re

from releaser.i18n import Translator, mark
from releaser.web.pages.faults import fault_of
from releaser.web.pages.verdicts import ENDS, EXITED, PLAIN_VERDICTS, RESTS, VERDICTS

_PLAIN = {
    **PLAIN_VERDICTS,
    "every wave succeeded": mark("every wave succeeded"),
    "already installed everywhere": mark("already installed everywhere"),
    "no announced notice covers the stop now": mark("no announced notice covers the stop now"),
    "what is there changed since the plan was approved": mark("what is there changed since the plan was approved"),
    "rehearsed: every target could be prepared": mark("rehearsed: every target could be prepared"),
    "nothing stops": mark("nothing stops"),
    "is not meant any more": mark("is not meant any more"),
    "it is as recorded again": mark("it is as recorded again"),
    "made by: a rollout → somebody else": mark("made by somebody else, not by a rollout"),
    "a target is inconsistent and needs a person": mark("a target is inconsistent and needs a person"),
    "prepare did not end in time": mark("the preparation did not end in time"),
    "cut-over did not end in time": mark("the cutover did not end in time"),
    "roll-back did not end in time": mark("the roll-back did not end in time"),
    "its time is over, and nothing began": mark("its time is over, and nothing began"),
    "the approval was given without it": mark("the approval was given without it"),
    "another rollout is at work there": mark("another rollout is at work there"),
    "The fix runs.": mark("The fix runs."),
    "The fix does not run any more: an older version was installed.": mark(
        "The fix does not run any more: an older version was installed."
    ),
}
_LEADING = {
    "not healthy in time: ": mark("not healthy in time: {why}"),
    "failed while soaking: ": mark("failed while soaking: {why}"),
    "could not be rolled back: ": mark("could not be rolled back: {why}"),
    "could not be tidied up: ": mark("could not be tidied up: {why}"),
    "the roll-back began again: ": mark("the roll-back began again: {why}"),
    "left over: ": mark("left over: {why}"),
    "trying again: ": mark("trying again: {why}"),
    "could not be looked at again: ": mark("could not be looked at again: {why}"),
    "could not begin yet: ": mark("could not begin yet: {why}"),
    "the look broke off: ": mark("the look broke off: {why}"),
}
_NAME = r"(?P<name>\S+)"
_LATE = (
    r"(?P<who>.+) came while it ran and did not join: (?P<inner>.*);"
    r" roll out to it by itself: (?P<command>releaser deploy .*)"
)
_FORMS = tuple(
    (re.compile(pattern, re.DOTALL), message)
    for pattern, message in (
        (
            r"(?P<failed>\d+) of (?P<total>\d+) targets of wave (?P<wave>\d+) failed, (?P<threshold>\d+) may",
            mark("Wave {wave}: {failed} of {total} targets failed, allowed are {threshold}"),
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
        (r"(?P<version>\S+) was yanked", mark("{version} was yanked")),
        (r"(?P<version>\S+) was yanked: (?P<why>.*)", mark("{version} was yanked: {why}")),
        (r"(?P<version>\S+) was blocked: (?P<inner>.*)", mark("{version} was blocked: {why}")),
        (
            r"rollout (?P<n>\d+) was turned back at (?P<where>\S+): (?P<inner>.*)",
            mark("rollout {n} was turned back at {where}: {why}"),
        ),
        (
            r"rollout (?P<n>\d+) failed at (?P<where>\S+), where it could not be turned back: (?P<inner>.*)",
            mark("rollout {n} failed at {where}, where it could not be turned back: {why}"),
        ),
        (r"rollout (?P<n>\d+) went no further: (?P<inner>.*)", mark("rollout {n} went no further: {why}")),
        (
            r"rollout (?P<n>\d+) brought (?P<version>\S+) there",
            mark("rollout {n} brought {version} there"),
        ),
        (
            r"tag (?P<tag>\S+) moved from commit (?P<before>\S+) to (?P<after>[^\s:]+): (?P<why>.*)",
            mark("tag {tag} moved from commit {before} to {after}: {why}"),
        ),
        (
            _LATE,
            mark("{who}: came while it ran and did not join: {why}; roll out to it by itself: {command}"),
        ),
        (
            r"does not run (?P<version>\S+) any more, and what was approved does nothing there",
            mark("{version} does not run there any more, and what was approved does nothing there"),
        ),
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
        (
            r"every wave succeeded, (?P<failed>\d+) failed",
            mark("every wave succeeded; targets that failed: {failed}"),
        ),
        (
            r"every wave succeeded, (?P<failed>\d+) failed, (?P<n>\d+) skipped",
            mark("every wave succeeded; targets that failed: {failed}, that were skipped: {n}"),
        ),
        (r"announced for (?P<when>\S+ \S+)", mark("announced for {when}")),
        (r"the window opens (?P<when>\S+ \S+)", mark("the window opens {when}")),
        (r"no window of the contract lasts (?P<s>\S+) s", mark("no window of the contract lasts {s} s")),
        (
            r"the window closes (?P<when>\S+ \S+), too soon for (?P<s>\S+) s; the next opens (?P<next>\S+ \S+)",
            mark("the window closes {when}, too soon for {s} s; the next one opens {next}"),
        ),
        (
            r"the announced time ends (?P<when>\S+ \S+), too soon for (?P<s>\S+) s",
            mark("the announced time ends {when}, too soon for {s} s"),
        ),
        (
            r"wave (?P<n>\d+) is done, and somebody has to let wave (?P<next>\d+) begin",
            mark("wave {n} is done, and somebody has to let wave {next} begin"),
        ),
        (
            r"wave (?P<n>\d+) fell ill while it was watched: (?P<where>[^\s:;]+): (?P<inner>.*)",
            mark("wave {n} fell ill while it was watched: {where}: {why}"),
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
        (r"from outside: (?P<inner>.*); it did before", mark("from outside: {why}; it did before")),
        (
            r"from outside: (?P<inner>.*); nor was it seen to answer before, which says nothing of the version",
            mark("from outside: {why}; nor was it seen to answer before, which says nothing of the version"),
        ),
        (
            r"(?P<name>\S+) was changed by hand since the wanted one was told, which says nothing of the version",
            mark("{name} was changed by hand in the middle of its update, which says nothing of the version"),
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
            r"(?P<inner>.*); the version is not safe to roll back, so it was left as it is: roll a mended version out there",
            mark(
                "{why}; the version is not safe to roll back, so it was left as it is: roll a mended version out there"
            ),
        ),
    )
)
_MORE = re.compile(r"and (?P<n>\d+) more")
_SEVERAL = 12
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
    if exited := EXITED.fullmatch(reason):
        return _exited(exited, t)
    if (ends := ENDS.fullmatch(reason)) and (ends["code"] or ends["said"]):
        return _ended(ends, t)
    for form, message in (*_FORMS, *VERDICTS):
        if found := form.fullmatch(reason):
            return _told(found, message, t)
    return fault_of(reason, t) or _each(reason, t)


def _told(found: re.Match[str], message: str, t: Translator) -> str:
    values = found.groupdict()
    if values.get("inner"):
        values["why"] = reason_of(values["inner"], t)
    text = t(message, **values)
    if values.get("log"):
        return t("{what} (exit code {code}: {log})", what=text, **values)
    return text + _rest(values.get("rest") or "", t)


def _rest(rest: str, t: Translator) -> str:
    """What follows a verdict, each piece in the reader's words."""
    told = ""
    while rest:
        for form, message in RESTS:
            if found := form.match(rest):
                told, rest = told + t(message, **found.groupdict()), rest[found.end() :]
                break
        else:
            end = rest.find(";", 1)
            told, rest = told + (rest if end < 0 else rest[:end]), "" if end < 0 else rest[end:]
    return told


def _each(reason: str, t: Translator) -> str:
    """Several reasons in a row; as it is unless each of them is known."""
    several = reason.split("; ")
    if not 1 < len(several) <= _SEVERAL:
        return reason
    told = []
    for one in several:
        more = _MORE.fullmatch(one)
        told.append(t("and {n} more", n=more["n"]) if more else reason_of(one, t))
        if told[-1] == one:
            return reason
    return "; ".join(told)


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


def _ended(found: re.Match[str], t: Translator) -> str:
    said = reason_of(found["inner"], t)
    if found["code"]:
        said = t("{what}, exit code {code}", what=said, code=found["code"])
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
