"""The log of what runs on: one JSON object per line on standard error, so that what is logged cannot forge a line."""

from __future__ import annotations

import logging
import sys

import structlog


def log_to_stderr(*, level: int = logging.INFO) -> None:
    """Let everything that is logged from now on go there; standard output belongs to the command's answer."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
    )
