"""Free ports on loopback for programs that must be told theirs before they start.

What does not live here: programs that bind port 0 and say what they got, which is better where they can.
"""

from __future__ import annotations

import secrets
import socket
import sys

LOOPBACK = "127.0.0.1"
# Below the ports the kernel hands to outgoing connections (from 32768 on), so that none of those gets in between.
FIRST, LAST = 20_000, 32_000

_given: set[int] = set()


def free_port() -> int:
    """A port nobody listens on now, never given by this process before, nor by another one that lives (on Linux)."""
    for _ in range(200):
        port = FIRST + secrets.randbelow(LAST - FIRST)
        if port not in _given and _claimed(port) and not is_taken(port):
            _given.add(port)
            return port
    raise OSError(f"no free port found on {LOOPBACK} between {FIRST} and {LAST}")


def _claimed(port: int) -> bool:
    """Claim the port for this process, until it ends, by a name that the kernel knows: who is given it may listen much later."""
    if sys.platform != "linux":
        return True  # what is random rarely meets
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0releaser-port-{port}")
    except OSError:
        claim.close()
        return False
    claim.detach()  # held open for as long as the process lives
    return True


def is_taken(port: int) -> bool:
    """Whether somebody listens on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # one that has just been closed is free
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return True
    return False
