"""What was measured, kept and told: `results.json` holds the figures, `results.md` is made of them and never written by hand.

A section is what one test measured in one run, with the moment, the state of the source and how busy the machine was. Running a part
of the benchmark replaces its sections only.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.benchmarks.histories import ROOT

RESULTS = Path(__file__).with_name("results.json")
PAGE = RESULTS.with_suffix(".md")
_HEAD = """# What was measured

Made by `make bench KEEP=1`; not edited by hand. Times are the clock's, of whole processes unless said otherwise: medians of interleaved runs (each
command in turn, round after round), the least and the most in brackets. A command that takes more than 20 s runs once. Files are
in the machine's cache for everybody ("cold" means: nothing kept by `releaser`). Memory is the peak of the largest process.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """Something that is asked for: at most `most` of what was measured as `value`, both in `unit`."""

    what: str
    value: float
    most: float
    unit: str

    @property
    def met(self) -> bool:
        """Whether it holds."""
        return self.value <= self.most

    def facts(self) -> dict[str, object]:
        """To be kept."""
        return {"what": self.what, "value": round(self.value, 4), "most": self.most, "unit": self.unit, "met": self.met}


@dataclass(slots=True, kw_only=True)
class Section:
    """One table: what each row is called, its columns, and what was asked for."""

    key: str
    title: str
    columns: tuple[str, ...]
    about: str = ""
    rows: list[list[str]] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    load: float = field(default_factory=lambda: os.getloadavg()[0])
    data: dict[str, Any] = field(default_factory=dict)

    def row(self, *cells: str) -> None:
        """Add a row."""
        self.rows.append(list(cells))

    def facts(self) -> dict[str, Any]:
        """To be kept."""
        return {
            "title": self.title,
            "about": self.about,
            "columns": list(self.columns),
            "rows": self.rows,
            "bars": [bar.facts() for bar in self.bars],
            "measured_at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            "source": _source(),
            "load": f"{self.load:.1f} at the beginning, {os.getloadavg()[0]:.1f} at the end",
            "machine": machine(),
            "data": self.data,
        }


def seconds(value: float) -> str:
    """A duration as it is best read."""
    if value < 0.001:
        return f"{value * 1e6:.0f} µs"
    return f"{value * 1e3:.{0 if value >= 0.1 else 1}f} ms" if value < 1 else f"{value:.2f} s"


def spread(facts: dict[str, Any]) -> str:
    """Median, least and most of a series."""
    if "why_not" in facts:
        return f"none: {facts['why_not']}"
    if facts["runs"] == 1:
        return f"{seconds(facts['median_s'])} (one run)"
    return f"{seconds(facts['median_s'])} ({seconds(facts['least_s'])} – {seconds(facts['most_s'])})"


def told(section: dict[str, Any]) -> str:
    """A section as Markdown."""
    lines = [f"## {section['title']}", "", *([section["about"], ""] if section["about"] else [])]
    lines += [_line(section["columns"]), _line(["---"] * len(section["columns"])), *map(_line, section["rows"]), ""]
    if section["bars"]:
        lines += [_line(["asked for", "at most", "measured", ""]), _line(["---"] * 4)]
        lines += [_line(_bar(bar)) for bar in section["bars"]] + [""]
    machine_facts = section["machine"]
    lines.append(
        f"Measured {section['measured_at']} at {section['source']}; {machine_facts['processor']}, {machine_facts['cores']} cores, "
        f"{machine_facts['memory']}, {machine_facts['system']}, Python {machine_facts['python']}, {machine_facts['git']}; load {section['load']}."
    )
    return "\n".join(lines) + "\n"


def _bar(bar: dict[str, Any]) -> list[str]:
    digits = 2 if bar["unit"] in {"×", "s"} else 1
    value, most = f"{bar['value']:.{digits}f} {bar['unit']}", f"{bar['most']:g} {bar['unit']}"
    return [bar["what"], most, value, "met" if bar["met"] else "**missed**"]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def keep(section: Section, *, order: Sequence[str]) -> None:
    """Put the section in the place of the one measured before."""
    kept = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    kept[section.key] = section.facts()
    ordered = {key: kept[key] for key in sorted(kept, key=lambda key: (order.index(key.split("-")[0]), key))}
    RESULTS.write_text(json.dumps(ordered, indent=1, ensure_ascii=False) + "\n", "utf-8")
    PAGE.write_text("\n".join([_HEAD, *map(told, ordered.values())]), "utf-8")


def machine() -> dict[str, str]:
    """What it was measured on."""
    processor = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text("utf-8"))
    memory = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text("utf-8"))
    return {
        "processor": " ".join(processor[1].split()) if processor else platform.machine(),
        "cores": str(os.cpu_count()),
        "memory": f"{int(memory[1]) / 1024**2:.0f} GiB" if memory else "",
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
        "git": subprocess.run(["git", "--version"], check=True, capture_output=True, text=True).stdout.strip(),
        "sqlite": sys.modules["sqlite3"].sqlite_version if "sqlite3" in sys.modules else "",
    }


def _source() -> str:
    """The commit of the source, and whether it was changed since."""
    words = ["git", "-C", str(ROOT), "describe", "--always", "--dirty=+", "--abbrev=9", "--exclude=*"]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    return done.stdout.strip() or "a source without git"
