"""Credentials of registries, as `docker login` writes them down."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from releaser.sources.registry_auth import RegistryAuthError, read_registry_auth


def auth(text: str) -> dict[str, str]:
    return {"auth": base64.b64encode(text.encode()).decode()}


def test_file_as_docker_login_writes_it_is_read_by_host(tmp_path: Path) -> None:
    auths = {
        "registry.example.com:5000": auth("robot:pass:with:colons"),
        "another.docker.io": auth("hub:пароль"),
        "kept.elsewhere": {},
        "plain.example.com": {"username": "u", "password": "p"},
    }
    (tmp_path / "config.json").write_text(json.dumps({"auths": auths, "credsStore": "desktop"}))
    assert read_registry_auth(tmp_path / "config.json") == {
        "registry.example.com:5000": ("robot", "pass:with:colons"),
        "docker.io": ("hub", "пароль"),
        "plain.example.com": ("u", "p"),
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("not json", "is no JSON"),
        ("[]", "has no 'auths'"),
        ('{"auths": {"r.example": {"auth": "%%%"}}}', "no user and password"),
        (json.dumps({"auths": {"r.example": auth("secretwithoutcolon")}}), "no user and password"),
    ],
)
def test_what_is_no_such_file_is_told_without_any_password(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(RegistryAuthError, match=told) as caught:
        read_registry_auth(tmp_path / "config.json")
    assert caught.value.field == "RELEASER_REGISTRY_AUTH"
    assert "secretwithoutcolon" not in str(caught.value)


def test_file_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(RegistryAuthError, match="cannot be read"):
        read_registry_auth(tmp_path / "none.json")
