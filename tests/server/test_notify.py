"""What a service manager hears, at whatever kind of address it listens."""

import os
import socket
import tempfile
from pathlib import Path

import pytest

from hpo.server.notify import READY, notify


@pytest.mark.parametrize("abstract", [False, True])
def test_a_manager_hears_at_a_file_and_at_an_abstract_name(monkeypatch, abstract):
    with (
        tempfile.TemporaryDirectory(dir="/tmp") as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager,
    ):
        path = f"{folder}/notify"
        manager.bind(f"\0{path}" if abstract else path)
        manager.settimeout(20)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{path}" if abstract else path)

        notify(READY)

        assert manager.recv(64) == b"READY=1"


@pytest.mark.parametrize("address", [None, "", "notify", "/nowhere/notify", "@hpo-nobody"])
def test_without_a_manager_nobody_is_told_and_nothing_is_made(monkeypatch, tmp_path, address):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    if address is not None:
        monkeypatch.setenv("NOTIFY_SOCKET", address)

    notify(READY)

    assert list(Path().iterdir()) == []
    assert os.environ.get("NOTIFY_SOCKET") == address
