"""An image with the machine's own HAProxy and a shell, as the front that is kept wants it; built without any registry of somebody else's."""

from __future__ import annotations

import hashlib
import io
import json
import re
import subprocess
import tarfile
from pathlib import Path

import docker

from releaser.demo.engine import talk
from releaser.demo.images import BUSYBOX, CREATED, static_busybox
from tests.needs import program


def load_haproxy(address: str, name: str) -> None:
    """Put it into the engine as `name`, `repository:tag`."""
    path = program("haproxy", of="haproxy")
    linked = subprocess.run(["ldd", path], check=True, capture_output=True, text=True).stdout
    libraries = [Path(found) for found in re.findall(r"(/\S+)", linked) if Path(found).exists()]
    busybox, architecture = static_busybox()
    files = {str(library).lstrip("/"): library.read_bytes() for library in libraries}
    files |= {"bin/haproxy": Path(path).read_bytes(), BUSYBOX: busybox}
    layer = _tar(files, links={"bin/sh": f"/{BUSYBOX}"}, folders=("tmp",))
    config = json.dumps(
        {
            "architecture": architecture,
            "os": "linux",
            "created": CREATED,
            "config": {"Env": ["PATH=/bin"], "Cmd": ["/bin/haproxy", "-v"]},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
            "history": [{"created": CREATED}],
        },
        sort_keys=True,
    ).encode()
    named = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = json.dumps([{"Config": named, "RepoTags": [name], "Layers": ["layer.tar"]}]).encode()
    whole = _tar({"layer.tar": layer, named: config, "manifest.json": manifest}, links={}, folders=())
    with talk(address) as client:
        assert isinstance(client, docker.APIClient)
        for line in client.load_image(whole):  # type: ignore[no-untyped-call]  # the SDK's own stubs
            assert "error" not in line, line


def _tar(files: dict[str, bytes], *, links: dict[str, str], folders: tuple[str, ...]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for folder in folders:
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777
            tar.addfile(entry)
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))
        for name, target in links.items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            tar.addfile(entry)
    return packed.getvalue()
