from __future__ import annotations

import json

from releaser.web.answers import FactsResponse
from tests.fakes.hostile_history import AUTHOR, BRANCHES, MESSAGES, harmful


def test_answer_carries_hostile_text_whole_and_inert() -> None:
    facts = {"author": AUTHOR, "branches": list(BRANCHES), "messages": list(MESSAGES), "half": "\ud800", "жук": "ü"}
    body = bytes(FactsResponse(facts).body).decode()
    assert json.loads(body) == facts
    assert harmful(body) == []
    assert "жук" in body
