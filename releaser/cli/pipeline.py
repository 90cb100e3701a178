"""What a pipeline says by its environment, and what it is told: the job's identity, outputs, the summary of a step."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from releaser.cli.show import Output
from releaser.domain.rollout import UPDATE_FAILED, UPDATE_GOOD, UpdateState
from releaser.flows.ports import Facts


class Format(StrEnum):
    """What these commands write; `github` is text, and a summary of the step besides."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"

    @property
    def base(self) -> Output:
        """How facts are written to standard output."""
        return Output.JSON if self is Format.JSON else Output.TEXT


FormatOption = Annotated[Format, typer.Option("-o", "--output", help="text, json, or github (a step summary).")]


def job_key(product: str, version: str, to: str, *, rehearse: bool) -> str:
    """The CI job's identity: a retry of the call is the same trigger, a re-run of the job is another one.

    A rehearsal is another trigger than the rollout that the same job starts after it. Empty outside of a pipeline.
    """
    env = os.environ
    names: tuple[str, ...]
    if env.get("GITHUB_RUN_ID"):
        names = ("GITHUB_REPOSITORY_ID", "GITHUB_RUN_ID", "GITHUB_RUN_ATTEMPT", "GITHUB_JOB", "GITHUB_ACTION")
    elif env.get("CI_JOB_ID"):
        names = ("CI_SERVER_URL", "CI_PROJECT_ID", "CI_JOB_ID")
    else:
        return ""
    identity = [env.get(name, "") for name in names]
    return (
        "job-"
        + hashlib.sha256(
            "\0".join([*identity, product, version, to, *(["rehearse"] if rehearse else [])]).encode()
        ).hexdigest()[:32]
    )


def outputs_of(facts: Facts) -> dict[str, object]:
    """What later steps of a pipeline can use."""
    states = [UpdateState(t["state"]) for t in facts["targets"]]
    counts = {
        "good": sum(state in UPDATE_GOOD for state in states),
        "failed": sum(state in UPDATE_FAILED for state in states),
    }
    found = {"id": facts["id"], "status": facts["state"], "url": facts["url"] or "", "total": len(states), **counts}
    if "quorum" in facts:
        found["quorum"] = "reached" if facts["quorum"]["reached"] else "missed"
    return found


def tell_pipeline(outputs: Mapping[str, object], summary: str) -> None:
    """Outputs and a summary of the step, written to the files that the runner names."""
    fence = "`" * (max((len(run) for run in re.findall("`+", summary)), default=0) + 3)
    for variable, text in (
        ("GITHUB_OUTPUT", "".join(f"{name}={value}\n" for name, value in outputs.items())),
        ("GITHUB_STEP_SUMMARY", f"{fence}\n{summary}\n{fence}\n"),
    ):
        if path := os.environ.get(variable):
            with Path(path).open("a", encoding="utf-8") as file:
                file.write(text)
