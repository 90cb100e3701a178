"""How a service is stopped, started and looked at on its host: by systemd, or by the commands that were declared."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import Final

from releaser.domain.spec import FilesSpec, ServiceSpec

STATUS_BOUND_S: Final = 5
_PROPERTIES: Final = "LoadState ActiveState SubState NRestarts MainPID Result ExecMainStatus Job"
_ONE_LINE: Final = "tr '\\n\\t' '  ' | cut -c1-600"
_PID = re.compile(r"\bpid[ =:]*(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceState:
    """What a host says of a service. `restarts` and `pid` are None where it does not tell; `said` is for people."""

    active: bool
    starting: bool = False
    restarts: int | None = None
    pid: int | None = None
    exit_code: int | None = None
    said: str = ""


@dataclass(frozen=True, slots=True)
class Service:
    """The words of a host's shell for one service."""

    spec: ServiceSpec
    unit: str
    root: str
    target: str

    @classmethod
    def of(cls, spec: FilesSpec) -> Service:
        """The service of a target."""
        unit = "" if spec.service.start else spec.service.unit or spec.name
        return cls(spec.service, unit, spec.root, spec.name)

    @property
    def name(self) -> str:
        """What people call it."""
        return self.unit or f"the service of {self.target}"

    def look(self, number: int) -> list[str]:
        """Say its state as lines `service<TAB>number key value`."""
        if self.unit:
            status = self._systemctl("status", "-n", "5", "--no-pager", "--full")
            show = self._systemctl("show", *(word for name in _PROPERTIES.split() for word in ("-p", name)))
            return [
                f'out=$({show} 2>&1) || {{ printf "%s\\n" "$out" >&2; exit 1; }}',
                f'printf "%s\\n" "$out" | while IFS= read -r line; do say service "{number} $line"; done',
                "case $out in *ActiveState=active*) quiet=yes ;; *) quiet= ;; esac",
                f'[ -n "$quiet" ] || say service "{number} Said=$({status} 2>&1 | tail -n 5 | {_ONE_LINE})"',
            ]
        status = self._bounded(self.spec.status, STATUS_BOUND_S)
        return [
            f"code=0; out=$({status} </dev/null 2>&1) || code=$?",
            f'say service "{number} Code=$code"',
            f'say service "{number} Said=$(printf "%s" "$out" | {_ONE_LINE})"',
        ]

    def is_active(self) -> str:
        """A command that ends with 0 while the service runs, or is on its way up or down."""
        if self.unit:
            state = self._systemctl("show", "-p", "ActiveState")
            return f"case $({state}) in *=inactive|*=failed) false ;; *) true ;; esac"
        return f"{self._bounded(self.spec.status, STATUS_BOUND_S)} </dev/null >/dev/null 2>&1"

    def stop(self, grace_s: int) -> list[str]:
        """Stop it, and kill what does not end within the grace; what is stopped already is fine."""
        if self.unit:
            stop = self._bounded_systemctl(grace_s, "stop")
            kill = self._bounded_systemctl(grace_s, "kill", "-s", "KILL")
            again = self._bounded_systemctl(STATUS_BOUND_S + 5, "stop")
            return [
                f"if {self.is_active()}; then",
                f'  code=0; {stop} </dev/null >"$own/output" 2>&1 || code=$?',
                '  if [ "$code" = 124 ]; then',
                f"    {kill} </dev/null >/dev/null 2>&1 || :",
                f'    {again} </dev/null >"$own/output" 2>&1 || :',
                "  fi",
                "fi",
                f'if {self.is_active()}; then tail -c 1000 "$own/output" >&2; echo "{shlex.quote(self.name)} still runs" >&2; exit 93; fi',
            ]
        return [
            f"if {self.is_active()}; then",
            f'  code=0; {self._bounded(self.spec.stop, grace_s + 5)} </dev/null >"$own/output" 2>&1 || code=$?',
            f"  if {self.is_active()}; then",
            '    tail -c 1000 "$own/output" >&2; echo "it still runs after its stop command (which ended with $code)" >&2; exit 93',
            "  fi",
            "fi",
        ]

    def start(self, bound_s: int) -> list[str]:
        """Start it without waiting until it is up: that is the gate's. The lock is not passed on to what keeps running."""
        if self.unit:
            start = self._bounded_systemctl(30, "start", "--no-block")
            return [
                f"{self._systemctl('reset-failed')} >/dev/null 2>&1 9>&- || :",
                f'{start} </dev/null >"$own/output" 2>&1 9>&- || {{ tail -c 1000 "$own/output" >&2; exit 93; }}',
            ]
        return [
            f'code=0; {self._bounded(self.spec.start, bound_s)} </dev/null >"$own/output" 2>&1 9>&- || code=$?',
            '[ "$code" = 0 ] || { tail -c 1000 "$own/output" >&2; echo "the start command ended with $code" >&2; exit 93; }',
        ]

    def reload(self) -> list[str]:
        """Have systemd read its units anew: one of them may be among the files that changed."""
        if not self.unit:
            return []
        words = shlex.join((*self.spec.systemctl, "daemon-reload"))
        return [f'timeout 60 {words} </dev/null >"$own/output" 2>&1 || {{ tail -c 1000 "$own/output" >&2; exit 93; }}']

    def pid(self) -> str:
        """A command that prints what tells one run of the service from the next; nothing where that is not known."""
        if self.unit:
            return "echo"  # systemd counts restarts itself
        return f"{self._bounded(self.spec.status, STATUS_BOUND_S)} </dev/null 2>/dev/null | {_ONE_LINE}"

    def state(self, told: dict[str, str]) -> ServiceState:
        """What `look` said, understood."""
        if not self.unit:
            code = told.get("Code", "")
            return ServiceState(active=code == "0", pid=pid_in(told.get("Said", "")), said=told.get("Said", ""))
        active, sub = told.get("ActiveState", ""), told.get("SubState", "")
        job = told.get("Job", "") not in {"", "0"}
        said = f"{active} ({sub}, result {told.get('Result', '')})"
        if told.get("LoadState") == "not-found":
            said = "systemd knows no such unit"
        return ServiceState(
            active=active in {"active", "reloading"},
            starting=sub != "auto-restart"
            and (active in {"activating", "deactivating"} or (job and active != "failed")),
            restarts=_number(told.get("NRestarts", "")),
            pid=_number(told.get("MainPID", "")) or None,
            exit_code=_number(told.get("ExecMainStatus", "")),
            said=f"{said}; {told['Said']}" if told.get("Said") else said,
        )

    def _systemctl(self, verb: str, *options: str) -> str:
        return f"timeout {STATUS_BOUND_S} {shlex.join((*self.spec.systemctl, verb, *options, '--', self.unit))}"

    def _bounded_systemctl(self, bound_s: int, verb: str, *options: str) -> str:
        return f"timeout {max(1, bound_s)} {shlex.join((*self.spec.systemctl, verb, *options, '--', self.unit))}"

    def _bounded(self, words: tuple[str, ...], bound_s: int) -> str:
        """The command with its `{root}` put in, ended after its time; our own language of messages is not passed on."""
        put_in = [word.replace("{root}", self.root) for word in words]
        return f"env -u LC_ALL timeout -k 5 {max(1, bound_s)} {shlex.join(put_in)}"


def pid_in(text: str) -> int | None:
    """The number after `pid` in what a status command printed."""
    match = _PID.search(text)
    return int(match[1]) if match else None


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() else None
