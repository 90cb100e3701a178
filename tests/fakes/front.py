"""A front that is none: it keeps its servers as data, can be gone, and forgets them when it starts again."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from releaser.domain.spec import FrontKind, FrontSpec
from releaser.targets.front import FrontUnreachableError, Server, ServerState


class FakeFront:
    """One group of servers. `history` has, after every change, the addresses that get requests."""

    def __init__(self) -> None:
        self.group: dict[str, Server] = {}
        self.history: list[frozenset[str]] = []
        self.calls: list[str] = []
        self.cut: list[str] = []
        """Who was taken out while it still got requests."""
        self.gone = False
        self.fails_at = 0
        """The call that changes something and goes wrong, counted from 1; 0 for none."""
        self.fails_after = False
        self.busy_for = 0
        """How often a drained server is still found busy."""
        self.on_change: Callable[[], None] = lambda: None

    def opened(self, front: FrontSpec) -> FakeFront:
        """Stands for `open_front`."""
        assert front.kind is not FrontKind.TRAEFIK, "nobody can steer that"
        return self

    def restart(self) -> None:
        """All servers are forgotten."""
        self.group.clear()

    def check(self) -> str:
        self._reached()
        return "a front"

    def servers(self) -> Mapping[str, Server]:
        self._reached()
        found = dict(self.group)
        for name, one in found.items():
            if one.state is ServerState.DRAINING and self.busy_for > 0:
                self.busy_for -= 1
                found[name] = Server(name=name, address=one.address, state=one.state, busy=1)
        return found

    def put(self, name: str, address: str) -> None:
        self._change(
            "put",
            lambda: self.group.update({name: Server(name=name, address=address, state=ServerState.READY, busy=0)}),
        )

    def drain(self, name: str) -> None:
        def drained() -> None:
            if (one := self.group.get(name)) is not None:
                self.group[name] = Server(name=name, address=one.address, state=ServerState.DRAINING, busy=0)

        self._change("drain", drained)

    def remove(self, name: str) -> None:
        def removed() -> None:
            one = self.group.pop(name, None)
            if one is not None and one.state is ServerState.READY:
                self.cut.append(name)

        self._change("remove", removed)

    def _change(self, kind: str, change: Callable[[], None]) -> None:
        self._reached()
        self.calls.append(kind)
        fails = len(self.calls) == self.fails_at
        if not fails or self.fails_after:
            change()
            self.history.append(frozenset(s.address for s in self.group.values() if s.state is ServerState.READY))
            self.on_change()
        if fails:
            raise FrontUnreachableError("The front does not answer.", permanent=False)

    def _reached(self) -> None:
        if self.gone:
            raise FrontUnreachableError("The front does not answer.", permanent=False)
