from __future__ import annotations

import time

import pytest

from releaser.domain.joined import Joined
from releaser.domain.ticket import TicketRelation, ticket_links
from releaser.domain.ticket_patterns import DEFAULT_PATTERN, InvalidTicketPatternError, TicketPatterns

PROJ = TicketPatterns([r"PROJ-\d+"])


def named(message: str, patterns: TicketPatterns = PROJ) -> str:
    """`fixes` keys as they are, `refs` keys with a question mark."""
    links = ticket_links(message, patterns)
    return " ".join(one.key + ("" if one.relation is TicketRelation.FIXES else "?") for one in links)


@pytest.mark.parametrize(
    ("message", "wanted"),
    [
        ("", ""),
        ("nothing", ""),
        ("PROJ-12: do it", "PROJ-12"),
        ("[PROJ-1] [PROJ-2] do it", "PROJ-1 PROJ-2"),
        ("Do it (PROJ-3)", "PROJ-3"),
        ("[FIXED PROJ-4] Do it", "PROJ-4"),
        ("Do it\n\nPROJ-5 has the story", "PROJ-5?"),
        ("Do it\n\nFixes PROJ-1, PROJ-2 and PROJ-3; see PROJ-4", "PROJ-1 PROJ-2 PROJ-3 PROJ-4?"),
        ("Do it\n\nCloses: #PROJ-1", "PROJ-1"),
        ("Do it\n\nResolves issue PROJ-1.", "PROJ-1"),
        ("Do it\n\nэто закрывает PROJ-1", "PROJ-1"),
        ("Prepare for PROJ-1", "PROJ-1?"),
        ("Part of PROJ-1", "PROJ-1?"),
        ("Does not fix PROJ-1", "PROJ-1?"),
        ("Refs PROJ-1\n\nFixes PROJ-1", "PROJ-1"),
        ("PROJ-1 and again PROJ-1", "PROJ-1"),
        ("Merge branch 'PROJ-1-login'", "PROJ-1?"),
        ("Do it\r\n\r\nFixes PROJ-1\r\n", "PROJ-1"),
        ("Жёлтый PROJ-7 ☂", "PROJ-7"),
        # Whole keys only.
        ("XPROJ-1 PROJ-1x _PROJ-1 PROJ-1_ ЖPROJ-1", ""),
        ("MY-PROJ-1", ""),
        ("fix-PROJ-1 is a branch", "PROJ-1"),
        ("PROJ-1/PROJ-2", "PROJ-1 PROJ-2"),
        # Not in URLs, not quoted.
        ("https://example.org/browse/PROJ-1", ""),
        ("see https://example.org/PROJ-1?x=PROJ-2 (PROJ-3)", "PROJ-3"),
        ("[PROJ-1](https://example.org/PROJ-2)", "PROJ-1"),
        ("Do it\n\n> as PROJ-1 said\n  > PROJ-2\nno, PROJ-3", "PROJ-3?"),
        ('Revert "PROJ-1: do it" (#4)\n\nBroke PROJ-2', "PROJ-2?"),
        ('Reapply "PROJ-1: do it"', ""),
        ('Revert "that", PROJ-9', "PROJ-9"),
        ('[PROJ-8] Revert "[PROJ-9] do it" (#4)', "PROJ-8"),
        ('Do it\n\n* Revert "PROJ-9: do it"\n', ""),
        ('Handle the message "PROJ-1 was not found"', ""),
        ("Write «PROJ-1 не найден» (PROJ-2)", "PROJ-2"),
        ('Fix "PROJ-1"', "PROJ-1"),
        ('Make 5" disks work (PROJ-1)', "PROJ-1"),
        ('Merge "PROJ-1: do it"', "PROJ-1?"),
        # What is taken back, denied or told in passing is not fixed.
        ("Reverting aeaeac1382, e0bfbe6. PROJ-1 is not a candidate for 1.5", "PROJ-1?"),
        ("Revert PROJ-1 as it did not work", "PROJ-1?"),
        ("Back out the cache (PROJ-1)", "PROJ-1?"),
        ("Revert the cache\n\nFixes PROJ-1", "PROJ-1"),
        ("[PROJ-1] Revert the cache", "PROJ-1"),
        ("Speed up, PROJ-1 is not fixed by that", "PROJ-1?"),
        ("PROJ-1 is not thrown any more", "PROJ-1"),
        ("Noting PROJ-1", "PROJ-1?"),
        ("Do it\n\nDoesn't fix PROJ-1, can\u2019t really close PROJ-2", "PROJ-1? PROJ-2?"),
        ("Do it\n\nPartially fixes PROJ-1", "PROJ-1?"),
        ("Do it\n\nNot only fixes PROJ-1", "PROJ-1"),
        ("Do it\n\nNot tested, and fixes PROJ-1", "PROJ-1"),
        ("Do it\n\nCloses-Bug: #PROJ-1\nRelated-Bug: #PROJ-2\nImplements: PROJ-3", "PROJ-1 PROJ-2? PROJ-3"),
        # A squash lists the subjects of what it squashed.
        (
            "Do it (#7)\n\n* PROJ-1: one\n\n* [PROJ-2] two\r\n* three (PROJ-3)\n- four, see PROJ-4\n",
            "PROJ-1 PROJ-2 PROJ-3 PROJ-4?",
        ),
        (
            "Squashed commit of the following:\n\ncommit 1a2b\nAuthor: Ann\nDate:   today\n\n    PROJ-1: one\n    \n    like PROJ-2\n",
            "PROJ-1 PROJ-2?",
        ),
        ("Do it\n\n    PROJ-1: an example\n", "PROJ-1?"),
        ("Merge branch 'PROJ-1-PROJ-2'\n\n* PROJ-1:\n  one\n", "PROJ-1? PROJ-2?"),
        # A version or a file is no key.
        ("Read PROJ-1.2", ""),
        ("This fixes PROJ-1. And PROJ-2-login is merged.", "PROJ-1 PROJ-2"),
    ],
)
def test_tickets_are_read_out_of_messages(message: str, wanted: str) -> None:
    assert named(message) == wanted


def test_short_pattern_does_not_cut_a_longer_key() -> None:
    assert named("PROJ-12 PROJ-1", TicketPatterns([r"PROJ-\d"])) == "PROJ-1"


def test_default_pattern_leaves_names_of_standards_alone() -> None:
    assert named("UTF-8 and SHA-256 in CVE-2024-1 for ABC-7", TicketPatterns([DEFAULT_PATTERN])) == "ABC-7?"


def test_several_patterns_are_read_together_in_order() -> None:
    both = TicketPatterns([r"B-\d+", r"A-\d+", r"[A-Z]-\d+x?"])
    assert named("A-1 B-2 C-3", both) == "A-1 B-2 C-3"


def test_group_named_key_is_the_key() -> None:
    assert named("gh#17: do it", TicketPatterns([r"gh#(?P<key>\d+)"])) == "17"


@pytest.mark.parametrize(
    ("message", "wanted"),
    [
        ("Do it\n\nFixes: #12", "12"),
        ("Do it\n\nFixes #12, #13 and #14; see #15", "12 13 14 15?"),
        ("Do it (#12)", "12"),
        ("Do it (example/shop#12)", ""),
        ("Do it\n\nFixes example/shop#12", ""),
        ("Do it\n\nhttps://example.org/#12", ""),
        ("#1 and #12", "1 12"),
        ("#12a", ""),
        ('Revert "Do it (#12)" (#13)', "13"),
    ],
)
def test_numbers_of_a_host_are_keys_where_the_pattern_says_so(message: str, wanted: str) -> None:
    assert named(message, TicketPatterns([r"#(?P<key>\d+)"])) == wanted


@pytest.mark.parametrize("pattern", [r"(?i:t)-\d", r"T-\d+", r"\C\C", r"\b", r"(?P<key>)T", r"[^a]-\d"])
def test_odd_letters_and_odd_patterns_disturb_nothing(pattern: str) -> None:
    links = ticket_links("\ud800 Жук T-1 \N{GRINNING FACE}", TicketPatterns([pattern]))
    assert {link.key for link in links} <= {"T-1"}


def test_no_pattern_finds_nothing() -> None:
    assert ticket_links("PROJ-1", TicketPatterns([])) == ()
    assert list(TicketPatterns([]).found(Joined(["PROJ-1"]))) == []


@pytest.mark.parametrize("pattern", ["A|B", "(?i)proj-1", "A?B", "A*B", "A{0}B", "[A]B", "AB+", r"\d"])
def test_quick_look_passes_whatever_the_pattern_matches(pattern: str) -> None:
    patterns = TicketPatterns([pattern])
    texts = ["A", "B", "AB", "ABB", "proj-1", "PROJ-1", "7", "AAB", "none"]
    found = {texts[place] for place, _ in patterns.found(Joined(texts))}
    assert found == {text for text in texts if patterns.spans(text)}


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("", "has 0 characters"),
        ("x" * 201, "has 201 characters"),
        ("(", "is not understood: missing"),
        ("a*", "matches the empty text"),
        (r"(\w+)\1", "is not understood"),
        ("PROJ-1(?=x)", "is not understood"),
        ("(((x{100}){100}){100})", "is not understood"),
    ],
)
def test_unusable_pattern_is_refused_with_the_reason(pattern: str, why: str) -> None:
    with pytest.raises(InvalidTicketPatternError, match=why) as caught:
        TicketPatterns([pattern])
    assert "PROJ-" in caught.value.advice


@pytest.mark.parametrize("pattern", [r"(a+)+$", r"(a|a)+b", r"a+a+a+a+a+b", r"(?:a*)*b", r"(\w+\s?)+!"])
def test_catastrophic_pattern_costs_nothing_special(pattern: str) -> None:
    began = time.process_time()
    ticket_links("a" * 100_000 + "\n" + "a " * 10_000, TicketPatterns([pattern]))
    # A backtracking engine would need longer than the universe has.
    assert time.process_time() - began < 10


def test_message_of_nothing_but_keys_is_read_in_bounds() -> None:
    began = time.process_time()
    links = ticket_links("PROJ-1, " * 200_000, PROJ)
    assert [link.key for link in links] == ["PROJ-1"]
    ticket_links("PROJ-1" + " " * 500_000 + "PROJ-2 " * 5000, PROJ)
    assert time.process_time() - began < 10
