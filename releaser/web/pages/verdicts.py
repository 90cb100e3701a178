"""What the health gates of the drivers say, by its form: a pattern and the message that it is told by.

What a group `inner` finds is such a saying itself, and is told before it is put into the message as {why}.
"""

from __future__ import annotations

import re

from releaser.i18n import mark

PLAIN_VERDICTS = {
    "the state before is back": mark("the state before is back"),
    "nothing runs, as before the rollout": mark("nothing runs, as before the rollout"),
    "nothing of the attempt is left, as before the rollout": mark(
        "nothing of the attempt is left, as before the rollout"
    ),
    "it is as before the rollout": mark("it is as before the rollout"),
    "another configuration than the wanted one was put in place": mark(
        "another configuration than the wanted one was put in place"
    ),
    "nothing is under way": mark("no request is under way"),
    "the engine did not answer": mark("the engine did not answer"),
}
_NAME = r"(?P<name>\S+)"
_LOG = r"(?: \(exit code (?P<code>\S+): (?P<log>.*)\))?"
_CONTAINERS = (
    (
        r"no container of target \S+ runs what was there before",
        mark("no container runs what was there before"),
    ),
    (r"no container of target \S+ runs (?P<version>\S+)", mark("no container runs {version}")),
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
        rf"{_NAME} was changed by hand since the wanted one was told",
        mark("{name} was changed by hand meanwhile"),
    ),
    (
        rf"the engine's check of {_NAME} has not passed yet{_LOG}",
        mark("the engine's check of {name} has not passed yet"),
    ),
    (rf"the engine's check of {_NAME} fails{_LOG}", mark("the engine's check of {name} fails")),
    (rf"{_NAME} has no address to probe yet \((?P<url>.*)\)", mark("{name} has no address to probe yet ({url})")),
    (
        r"(?P<inner>\S+ does not answer: .*) \(every task runs: if the nodes' kernels have no IP_VS, use (?P<what>.*)\)",
        mark("{why} (every task runs: if the nodes' kernels have no IP_VS, use {what})"),
    ),
    (r"(?P<url>\S+) does not answer: (?P<error>.*)", mark("{url} does not answer: {error}")),
    (r"(?P<url>\S+) answers (?P<status>\d+), not (?P<expected>\d+)", mark("{url} answers {status}, not {expected}")),
    (r"(?P<inner>.*); so are (?P<n>\d+) more", mark("{why}; the others too ({n})")),
    (rf"{_NAME} is up, the engine's check passes", mark("{name} is up, the engine's check passes")),
    (
        rf"{_NAME} is up, (?P<url>\S+) answers (?P<status>\d+)(?: and the engine's check passes)?",
        mark("{name} is up, {url} answers {status}"),
    ),
    (rf"{_NAME} is up for (?P<up>\S+) of (?P<whole>\S+) s", mark("{name} is up for {up} of {whole} s")),
    (
        rf"{_NAME} stayed up for (?P<whole>\S+) s \(no check and no probe\)",
        mark("{name} stayed up for {whole} s (no check and no probe)"),
    ),
    (r"the front has no server of (?P<names>.+)", mark("the front knows nothing of {names}")),
    (r"(?P<n>\d+) requests are still under way", mark("requests still under way: {n}")),
    (r"(?P<n>\d+) requests are cut off after (?P<s>\S+) s", mark("requests cut off after {s} s: {n}")),
    (
        r"the front does not tell what is under way: waiting (?P<s>\S+) s",
        mark("the front does not tell which requests are under way: waiting {s} s"),
    ),
    (r"waited (?P<s>\S+) s", mark("waited {s} s")),
)
_FILES = (
    (
        r"(?P<name>.+) is active, (?P<url>\S+) answers (?P<status>\d+)",
        mark("{name} is up, {url} answers {status}"),
    ),
    (r"(?P<name>.+) is active for (?P<up>\S+) of (?P<whole>\S+) s", mark("{name} is up for {up} of {whole} s")),
    (
        r"(?P<name>.+) stayed active for (?P<whole>\S+) s \(no probe\)",
        mark("{name} stayed up for {whole} s (no check and no probe)"),
    ),
    (
        r"(?P<path>.+) leads nowhere, not to (?P<version>\S+)",
        mark("{path} leads nowhere, not to {version}"),
    ),
    (
        r"(?P<path>.+) leads to (?P<found>.+), which is not the wanted (?P<version>\S+)",
        mark("{path} leads to {found}, which is not the wanted {version}"),
    ),
    (
        r"current leads to (?P<found>.+), and led to (?P<before>.+) before",
        mark("current leads to {found}, and led to {before} before"),
    ),
    (
        r"the service ran before the rollout, and is (?P<said>.+) now",
        mark("the service ran before the rollout, and now: {said}"),
    ),
    (r"(?P<path>/.+) holds something else than declared", mark("{path} holds something else than declared")),
    (r"(?P<path>\S+) is not there", mark("{path} is not there")),
    (r"(?P<name>\S+) is on its way: (?P<said>.*)", mark("{name} is on its way: {said}")),
    (r"(?P<name>\S+) does not run", mark("{name} does not run")),
    (r"(?P<name>\S+) was restarted (?P<n>\d+) times", mark("{name} was restarted, times: {n}")),
    (
        r"(?P<name>\S+) was restarted \(it was process (?P<was>\d+), and is (?P<now>\d+) now\)",
        mark("{name} was restarted (it was process {was}, and is {now} now)"),
    ),
)
_SERVICES = (
    (r"there is no service of target \S+", mark("there is no such service")),
    (
        rf"the swarm takes {_NAME} back by itself: (?P<why>.*)",
        mark("the swarm takes {name} back by itself: {why}"),
    ),
    (
        rf"the swarm paused the update of {_NAME}: (?P<why>.*)",
        mark("the swarm paused the update of {name}: {why}"),
    ),
    (
        rf"the swarm took the update back by itself \((?P<state>\S+)\) of {_NAME}: (?P<why>.*)",
        mark("the swarm took the update of {name} back by itself ({state}): {why}"),
    ),
    (
        rf"(?P<n>\d+) of (?P<all>\d+) tasks of {_NAME} run what is wanted(?P<rest>(?: on |; ).*)?",
        mark("{name}: {n} of {all} tasks run what is wanted"),
    ),
    (
        rf"all (?P<n>\d+) tasks of {_NAME} run, and the swarm watches them still(?P<rest>; .*)?",
        mark("{name}: all {n} tasks run, and the swarm watches them still"),
    ),
    (rf"{_NAME}: (?P<n>\d+) of (?P<all>\d+) tasks run(?P<rest> on .*)", mark("{name}: {n} of {all} tasks run")),
    (rf"a task of {_NAME} failed(?P<rest>; .*)?", mark("a task of {name} failed")),
    (rf"(?P<n>\d+) tasks of {_NAME} failed(?P<rest>; .*)?", mark("{name}: failed tasks: {n}")),
    (
        rf"(?P<n>\d+) of (?P<all>\d+) proxies of {_NAME} run(?P<rest>(?: \(|; ).*)?",
        mark("{name}: {n} of {all} proxies run"),
    ),
)
VERDICTS = tuple((re.compile(pattern, re.DOTALL), message) for pattern, message in (*_CONTAINERS, *_FILES, *_SERVICES))
RESTS = tuple(
    (re.compile(pattern), message)
    for pattern, message in (
        (r" on (?P<nodes>[^;]+?)(?=;|$|, and stayed up)", mark(" on {nodes}")),
        (r"; one is (?P<state>\w+)", mark("; one is {state}")),
        (r"; one failed: (?P<said>[^;]*)", mark("; one failed: {said}")),
        (r"; task (?P<slot>\d+) on (?P<node>[^:;]+): (?P<said>[^;]*)", mark("; task {slot} on {node}: {said}")),
        (
            r"; nodes? (?P<nodes>[^;]+) do(?:es)? not answer: (?P<n>\d+) tasks? (?:is|are) not counted[^;]*",
            mark("; nodes that do not answer: {nodes} ({n} tasks there are not counted, and may run still)"),
        ),
        (
            r"; the youngest is up for (?P<up>\S+) of (?P<whole>\S+) s",
            mark("; the youngest is up for {up} of {whole} s"),
        ),
        (r", and stayed up \(no check and no probe\)", mark(", and stayed up (no check and no probe)")),
        (r"; the engine's check passes", mark("; the engine's check passes")),
        (r"; (?P<url>\S+) answers (?P<status>\d+)", mark("; {url} answers {status}")),
        (r"; its last words: (?P<words>.*)", mark("; its last words: {words}")),
    )
)
"""What may follow, piece by piece in any order; what is in none of these forms stays as it is."""
ENDS = re.compile(
    r"(?P<inner>\S+ (?:was restarted \d+ times|was restarted \(it was process \d+, and is \d+ now\)|does not run))"
    r"(?: \(exit code (?P<code>-?\d+)\))?(?:; its last words: (?P<said>.*))?",
    re.DOTALL,
)
"""How a service that is no container ended: what happened, its exit code, its last words."""
EXITED = re.compile(
    rf"{_NAME} (?:exited|was restarted (?P<times>\d+) times) \(exit code (?P<code>-?\d+)(?P<oom>, out of memory)?\)"
    r"(?:; its last words: (?P<said>.*)|, without a word)",
    re.DOTALL,
)
"""How a container ended."""
