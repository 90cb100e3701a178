from __future__ import annotations

import itertools
import subprocess
import sys

import pytest

from releaser.domain.version import (
    InvalidTagFormatError,
    InvalidVersionError,
    Scheme,
    TagFormat,
    UnknownLineError,
    Version,
    VersionKind,
    line_named,
    next_candidate,
    next_patch,
    next_stable,
    parse,
)

TWO, SEM, PEP = Scheme.TWO_PART, Scheme.SEMVER, Scheme.PEP440


@pytest.mark.parametrize(
    ("scheme", "text", "shown", "key", "line", "kind"),
    [
        (TWO, "3.4", "3.4", "3.4", "3.4", "stable"),
        (TWO, "3.4.0", "3.4", "3.4", "3.4", "stable"),
        (TWO, "v3.4.1", "3.4.1", "3.4.1", "3.4", "patch"),
        (TWO, "V0.0", "0.0", "0.0", "0.0", "stable"),
        (TWO, "3.5-rc.1", "3.5-rc.1", "3.5-rc.1", "3.5", "candidate"),
        (TWO, "3.5.0-rc1", "3.5-rc.1", "3.5-rc.1", "3.5", "candidate"),
        (TWO, "3.5.2-RC-3", "3.5.2-rc.3", "3.5.2-rc.3", "3.5", "candidate"),
        (TWO, "3.5-rc", "3.5-rc.1", "3.5-rc.1", "3.5", "candidate"),
        (TWO, "2.0-beta-2", "2.0-beta.2", "2.0-beta.2", "2.0", "candidate"),
        (SEM, "v3.4.0", "3.4.0", "3.4.0", "3.4", "stable"),
        (SEM, "3.4.1+build.5", "3.4.1+build.5", "3.4.1", "3.4", "patch"),
        (SEM, "3.5.0-rc.1", "3.5.0-rc.1", "3.5.0-rc.1", "3.5", "candidate"),
        (PEP, "3.4.0", "3.4.0", "3.4", "3.4", "stable"),
        (PEP, "3.4rc1", "3.4rc1", "3.4rc1", "3.4", "candidate"),
        (PEP, "3.4.0-rc.1", "3.4.0rc1", "3.4rc1", "3.4", "candidate"),
        (PEP, "3.4.post1", "3.4.post1", "3.4.post1", "3.4", "patch"),
        (PEP, "1!3.4.1", "1!3.4.1", "1!3.4.1", "1!3.4", "patch"),
        (PEP, "3", "3", "3", "3.0", "stable"),
    ],
)
def test_good_text_is_read(scheme: Scheme, text: str, shown: str, key: str, line: str, kind: str) -> None:
    version = parse(text, scheme=scheme)
    assert (version.text, version.key, version.line, version.kind.value) == (shown, key, line, kind)
    assert str(version) == shown
    assert parse(shown, scheme=scheme) == version


@pytest.mark.parametrize("scheme", [TWO, SEM, PEP])
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is empty"),
        ("v", "it has no number"),
        ("vv3.4.0", "it starts with no number"),
        ("3.04", "'04' has a leading zero"),
        ("03.4.0", "'03' has a leading zero"),
        ("9" * 10_240, "it is 10240 characters long, and 128 is the most"),
        ("\N{ARABIC-INDIC DIGIT THREE}.4.0", "only ASCII"),
        ("3.4\N{FULLWIDTH DIGIT ONE}.0", "only ASCII"),
        ("3.99999999999999999999.0", "a number of 20 digits is absurd"),
        ("3.4.0-rc.99999999999", "a number of 11 digits is absurd"),
        ("3.4.0\n", "white space"),
        ("3.4.0 ", "white space"),
        ("3.4..1", "not a version"),
        ("--help", "it starts with no number|it has no number"),
        ("3.4.0;rm", "not a version"),
    ],
)
def test_bad_text_is_refused_with_the_reason(scheme: Scheme, text: str, why: str) -> None:
    with pytest.raises(InvalidVersionError, match=why) as caught:
        parse(text, scheme=scheme)
    assert caught.value.advice
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("scheme", "text", "why"),
    [
        (TWO, "3", "it has one part"),
        (TWO, "1.2.3.4", "it has 4 parts, and three"),
        (TWO, "3.4-final", "'-final' after the number is not '-rc.N'"),
        (TWO, "3.4-rc.01", "leading zero"),
        (SEM, "3.4", "it has 2 parts, and three are needed"),
        (SEM, "1.2.3.4", "it has 4 parts, and three are needed"),
        (SEM, "1.2.3-", "Semantic Versioning"),
        (PEP, "3.4-foo", "PEP 440"),
        (PEP, "3.4+local", "local part"),
    ],
)
def test_text_of_another_scheme_is_refused_with_the_reason(scheme: Scheme, text: str, why: str) -> None:
    with pytest.raises(InvalidVersionError, match=why):
        parse(text, scheme=scheme)


@pytest.mark.parametrize(
    ("scheme", "ascending"),
    [
        (TWO, "0.1 0.2-alpha.1 0.2-beta.1 0.2-rc.1 0.2-rc.2 0.2-rc.10 0.2 0.2.1-rc.1 0.2.1 0.2.9 0.2.10 0.10 1.0"),
        (SEM, "0.1.0 0.2.0-1 0.2.0-2 0.2.0-10 0.2.0-a 0.2.0-a.1 0.2.0-a.b 0.2.0-rc.1 0.2.0 0.2.1 0.10.0 1.0.0"),
        (PEP, "0.1 0.2.dev1 0.2a1.dev1 0.2a1 0.2b1 0.2rc1 0.2rc1.post1 0.2 0.2.post1.dev1 0.2.post1 0.2.1 0.10 1!0.1"),
    ],
)
def test_versions_have_one_total_order(scheme: Scheme, ascending: str) -> None:
    versions = [parse(text, scheme=scheme) for text in ascending.split()]
    for (low, older), (high, newer) in itertools.combinations(enumerate(versions), 2):
        assert low < high
        assert older < newer
        assert newer > older
        assert older != newer
    assert sorted([*versions[1:], versions[0]]) == versions


def test_order_across_schemes_does_not_exist() -> None:
    with pytest.raises(TypeError):
        assert parse("3.4.1", scheme=TWO) < parse("3.4.1", scheme=SEM)
    assert parse("3.4.1", scheme=TWO) != parse("3.4.1", scheme=SEM)


def two(*texts: str) -> list[Version]:
    return [parse(text, scheme=TWO) for text in texts]


@pytest.mark.parametrize(
    ("scheme", "known", "wanted"),
    [
        (TWO, "", "0.1"),
        (TWO, "3.4", "3.5"),
        (TWO, "3.4 3.4.7 3.3", "3.5"),
        (TWO, "3.9", "3.10"),
        (TWO, "3.4 3.5-rc.1", "3.5"),
        (TWO, "3.4 3.5-rc.1 3.5", "3.6"),
        (TWO, "3.4 3.4.1-rc.1", "3.5"),
        (SEM, "", "0.1.0"),
        (SEM, "3.4.0 3.4.1", "3.5.0"),
        (PEP, "1!3.4", "1!3.5"),
    ],
)
def test_next_stable_is_one_above_the_newest_line(scheme: Scheme, known: str, wanted: str) -> None:
    versions = [parse(text, scheme=scheme) for text in known.split()]
    assert next_stable(versions, scheme=scheme).text == wanted


@pytest.mark.parametrize(
    ("scheme", "line", "known", "wanted"),
    [
        (TWO, "3.4", "3.4", "3.4.1"),
        (TWO, "v3.4", "3.4 3.4.1 3.4.9 3.5 3.5.1", "3.4.10"),
        (TWO, "3.4", "3.4 3.4.1-rc.1", "3.4.1"),
        (TWO, "3.4", "3.4.2", "3.4.3"),
        (SEM, "3.4", "3.4.0", "3.4.1"),
        (PEP, "3.4", "3.4", "3.4.1"),
    ],
)
def test_next_patch_is_one_above_the_line(scheme: Scheme, line: str, known: str, wanted: str) -> None:
    versions = [parse(text, scheme=scheme) for text in known.split()]
    assert next_patch(line, versions, scheme=scheme).text == wanted


def test_next_patch_of_a_line_without_release_is_refused() -> None:
    with pytest.raises(UnknownLineError, match=r"3\.6"):
        next_patch("3.6", two("3.4", "3.5", "3.6-rc.1"), scheme=TWO)
    for bad in ("3", "3.4.1", "3.04", "x", ""):
        with pytest.raises(InvalidVersionError):
            next_patch(bad, two("3.4"), scheme=TWO)


def test_candidates_are_counted_per_version() -> None:
    target = parse("3.5", scheme=TWO)
    assert next_candidate(target, two("3.4", "3.5-rc.2", "3.5.1-rc.7")).text == "3.5-rc.3"
    assert next_candidate(parse("3.5", scheme=PEP), []).text == "3.5rc1"
    assert line_named("3.4.0", scheme=TWO) == "3.4"


@pytest.mark.parametrize(
    ("text", "tag", "wanted"),
    [
        ("{version}", "3.4", "3.4"),
        ("{version}", "v3.4", "3.4"),
        ("v{version}", "v3.4", "3.4"),
        ("v{version}", "3.4", "3.4"),
        ("jenkins-{version}", "jenkins-2.555.1", "2.555.1"),
        ("jenkins-{version}", "jenkins-1_396", "1.396"),
        ("jenkins-{version}", "jenkins-2.555.1-rc", "2.555.1-rc.1"),
        ("jenkins-{version}", "jenkins-1.509.4-sp3", None),
        ("jenkins-{version}", "2.555.1", None),
        ("jenkins-{version}", "hudson-1.395", None),
        ("app/v{version}", "app/v1.2", "1.2"),
        ("app/v{version}", "lib/v1.2", None),
        ("app-{version}-final", "app-1.2-final", "1.2"),
        ("app-{version}-final", "app-1.2", None),
        ("{version}", "v", None),
        ("{version}", "", None),
        ("{version}", "vv1.2", None),
        ("{version}", "latest", None),
    ],
)
def test_tags_carry_versions_by_format(text: str, tag: str, wanted: str | None) -> None:
    version = TagFormat(scheme=TWO, text=text).version_of(tag)
    assert (version.text if version else None) == wanted


def test_tag_is_written_as_the_format_says() -> None:
    version = parse("3.4", scheme=TWO)
    assert TagFormat(scheme=TWO, text="app/v{version}").tag_for(version) == "app/v3.4"
    assert TagFormat(scheme=TWO).tag_for(version) == "3.4"


@pytest.mark.parametrize(
    "text", ["", "v", "v{Version}", "{version}{version}", "v {version}", "a..{version}", "{version}.lock", "-{version}"]
)
def test_tag_format_that_names_no_version_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidTagFormatError) as caught:
        TagFormat(scheme=TWO, text=text)
    assert "'v{version}'" in caught.value.advice


def test_two_part_versions_need_no_library() -> None:
    code = (
        "import sys; from releaser.domain.version import *; parse('3.4', scheme=Scheme.TWO_PART);"
        "print(sorted({'semver', 'packaging.version'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_kinds_are_what_the_store_keeps() -> None:
    assert [kind.value for kind in VersionKind] == ["stable", "patch", "candidate"]
