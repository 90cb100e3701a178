"""Whether a kernel has IP_VS, on which swarm's virtual addresses and its ingress ports rest. Without, tasks run and nobody reaches them.

The engine does not tell. Of this machine the kernel itself does; of another one what is known is whether it is the same kernel.
"""

from __future__ import annotations

import gzip
import os
import platform
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

IpVs = Callable[[], bool]
_BUILT = re.compile(rb"^CONFIG_IP_VS=([ym])$", re.MULTILINE)


def has_ip_vs(root: Path = Path("/")) -> bool:
    """Whether this machine's kernel has it: loaded, built in, or as a module that can be loaded."""
    if (root / "proc/net/ip_vs").exists() or (root / "sys/module/ip_vs").exists():
        return True
    modules = root / "lib/modules" / platform.release()
    if any(modules.glob("kernel/net/netfilter/ipvs/ip_vs.ko*")):
        return True
    try:
        if "/ip_vs.ko" in (modules / "modules.builtin").read_text(errors="replace"):
            return True
    except OSError:
        pass
    return _is_built_in(root / "proc/config.gz")


def _is_built_in(path: Path) -> bool:
    """By the kernel's own word; a module whose file is not there does not count."""
    try:
        found = _BUILT.search(gzip.decompress(path.read_bytes()))
    except (OSError, EOFError, ValueError):
        return False
    return found is not None and found[1] == b"y"


def in_words(address: str, info: Mapping[str, Any], *, ip_vs: IpVs = has_ip_vs) -> str:
    """What applies at the engine of `address`, which told `info` about itself."""
    here = urlsplit(address)
    is_here = here.scheme == "unix" or here.hostname in {"localhost", "127.0.0.1", "::1"}
    same = str(info.get("KernelVersion") or "") == os.uname().release
    if not (is_here or same):
        return "whether its kernel has IP_VS cannot be told from here (there: ls /proc/net/ip_vs)"
    if ip_vs():
        return "its kernel has IP_VS"
    whose = "its kernel has" if is_here else "its kernel is as this machine's and has"
    return f"{whose} no IP_VS: use endpoint_mode dnsrr with a proxy, ingress ports and virtual addresses do not work"
