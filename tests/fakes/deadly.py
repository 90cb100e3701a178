"""Ports that kill their caller at a chosen call, as `kill -9` would: nothing of ours catches it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Killed(BaseException):
    """The process is gone."""


class Deadly:
    """Stands for `port`; shares its calls with others made from it.

    The `nth` call of `method` kills: before it is carried out, or after with `after`.
    """

    def __init__(self, port: Any) -> None:  # noqa: ANN401 -- any port
        self._port = port
        self._root = self
        self.calls: list[str] = []
        self.method = ""
        self.nth = 0
        self.after = False

    def beside(self, port: Any) -> Deadly:  # noqa: ANN401 -- any port
        """Another port that dies by the same rule."""
        other = Deadly(port)
        other._root = self._root
        return other

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method, root = getattr(self._port, name), self._root

        def called(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 -- any method
            root.calls.append(name)
            dies = name == root.method and root.calls.count(name) == root.nth
            if dies and not root.after:
                raise Killed(name)
            answer = method(*arguments, **named)
            if dies:
                raise Killed(name)
            return self.beside(answer) if name in {"mirror", "in_place"} else answer

        return called
