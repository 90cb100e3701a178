"""Artifacts by path and by HTTP: known by their SHA-256, kept once, and never taken when they are something else."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from releaser.errors import OutsideError
from releaser.sources.artifacts import ArtifactFiles
from releaser.sources.source import ArtifactNotFoundError, ArtifactRefusedError, ArtifactUnreachableError

CONTENT = b"an archive" * 1000
DIGEST = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
URL = "https://files.example.com/app-1.0.tar.gz"


def served(answer: Callable[[httpx2.Request], httpx2.Response], folder: Path) -> ArtifactFiles:
    return ArtifactFiles(folder, transport=httpx2.MockTransport(answer))


@pytest.mark.parametrize("form", ["{}", "file://{}", "file://localhost{}"])
def test_file_is_resolved_to_its_sum_and_fetched(tmp_path: Path, form: str) -> None:
    source = tmp_path / "app 1.0.tar.gz"
    source.write_bytes(CONTENT)
    address = form.format(source)
    artifacts = ArtifactFiles(tmp_path / "kept")
    assert artifacts.resolve(address) == DIGEST
    assert artifacts.fetch(address, DIGEST).read_bytes() == CONTENT


@pytest.mark.parametrize("text", ["{}\n", "{}  app.tar.gz\n", "{} *app.tar.gz", "\\{}  a\\nb", "{}".upper()])
def test_sum_beside_it_is_believed_and_proved_when_fetched(tmp_path: Path, text: str) -> None:
    source = tmp_path / "app.tar.gz"
    source.write_bytes(CONTENT)
    source.with_name("app.tar.gz.sha256").write_text(text.format(DIGEST.removeprefix("sha256:")))
    artifacts = ArtifactFiles(tmp_path / "kept")
    assert artifacts.resolve(str(source)) == DIGEST
    assert not (tmp_path / "kept").exists(), "nothing is read to know a sum that is told"
    source.write_bytes(b"something else")
    with pytest.raises(ArtifactRefusedError, match="and not sha256:"):
        artifacts.fetch(str(source), DIGEST)
    assert list((tmp_path / "kept").iterdir()) == [], "what is not wanted is not kept"


def test_sum_that_is_none_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "app.tar.gz"
    source.write_bytes(CONTENT)
    source.with_name("app.tar.gz.sha256").write_text("<html>not found</html>")
    with pytest.raises(ArtifactRefusedError, match="holds no SHA-256"):
        ArtifactFiles(tmp_path / "kept").resolve(str(source))


def test_fetched_once_it_is_kept_and_proved_again_before_every_use(tmp_path: Path) -> None:
    asked: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.url.path)
        return (
            httpx2.Response(404)
            if request.url.path.endswith(".sha256")
            else httpx2.Response(200, stream=httpx2.ByteStream(CONTENT))
        )

    artifacts = served(answer, tmp_path)
    assert artifacts.resolve(URL) == DIGEST
    kept = artifacts.fetch(URL, DIGEST)
    assert (kept.read_bytes(), asked) == (CONTENT, ["/app-1.0.tar.gz.sha256", "/app-1.0.tar.gz"])
    kept.write_bytes(b"rotten")
    assert artifacts.fetch(URL, DIGEST).read_bytes() == CONTENT


def test_redirect_is_followed_to_https_only(tmp_path: Path) -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith(".sha256"):
            return httpx2.Response(404)
        if request.url.host == "files.example.com":
            return httpx2.Response(302, headers={"location": "https://store.example.com/x?signed=1"})
        return httpx2.Response(200, stream=httpx2.ByteStream(CONTENT))

    assert served(answer, tmp_path).resolve(URL) == DIGEST
    with pytest.raises(ArtifactRefusedError, match="not https"):
        served(lambda _: httpx2.Response(302, headers={"location": "http://store.example.com/x"}), tmp_path).resolve(
            URL
        )
    with pytest.raises(ArtifactRefusedError, match="on and on"):
        served(lambda _: httpx2.Response(302, headers={"location": URL}), tmp_path).resolve(URL)


@pytest.mark.parametrize(
    ("status", "kind", "permanent"),
    [(404, ArtifactNotFoundError, True), (403, ArtifactRefusedError, True), (503, ArtifactUnreachableError, False)],
)
def test_answer_with_another_status_is_told_by_what_can_be_done(
    tmp_path: Path,
    status: int,
    kind: type[OutsideError],
    permanent: bool,  # noqa: FBT001 -- of the table
) -> None:
    with pytest.raises(kind) as caught:
        served(lambda _: httpx2.Response(status), tmp_path).fetch(URL, DIGEST)
    assert caught.value.permanent is permanent


def test_server_that_does_not_answer_is_unreachable(tmp_path: Path) -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectTimeout("too slow", request=request)

    with pytest.raises(ArtifactUnreachableError, match="in time") as caught:
        served(answer, tmp_path).resolve(URL)
    assert not caught.value.permanent


@pytest.mark.parametrize("address", ["relative.tar.gz", "ftp://x/y", "http://files.example.com/x", "file://host/x", ""])
def test_address_of_another_kind_is_refused(tmp_path: Path, address: str) -> None:
    with pytest.raises(ArtifactRefusedError):
        ArtifactFiles(tmp_path / "kept").resolve(address)


def test_folder_and_nothing_are_no_artifacts(tmp_path: Path) -> None:
    with pytest.raises(ArtifactRefusedError, match="is no file"):
        ArtifactFiles(tmp_path / "kept").resolve(str(tmp_path))
    with pytest.raises(ArtifactNotFoundError):
        ArtifactFiles(tmp_path / "kept").resolve(str(tmp_path / "nothing"))
