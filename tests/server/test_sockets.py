"""Sockets for servers: quick ones, private ones, and a sentence where there can be none."""

import asyncio
import shutil
import socket
import stat
from pathlib import Path

import pytest

from hpo.errors import CannotListen
from hpo.server.sockets import listen, listen_privately, remove_private, url_of


def test_connections_of_a_listening_socket_do_not_wait_to_fill_packets():
    async def no_delay():
        found = asyncio.get_running_loop().create_future()

        def accepted(_, writer):
            found.set_result(
                writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            )
            writer.close()

        with listen("127.0.0.1", 0) as listening:
            server = await asyncio.start_server(accepted, sock=listening)
            _, writer = await asyncio.open_connection(*listening.getsockname())
            option = await found
            writer.close()
            server.close()
        return option

    assert asyncio.run(no_delay()) == 1


def test_a_taken_port_is_told_with_the_cure():
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]

        with pytest.raises(
            CannotListen, match=rf"--port: port {port} of 127.0.0.1 is taken by another program; choose"
        ):
            listen("127.0.0.1", port)


@pytest.mark.parametrize(
    ("host", "sentence"),
    [
        ("192.0.2.1", "--host: 192.0.2.1 is no address of this machine"),
        ("no-such-host.invalid", "--host: no host is called 'no-such-host.invalid'"),
        ("a" * 70, "--host: no host is called"),
    ],
)
def test_a_host_that_is_not_ours_is_told(host, sentence):
    with pytest.raises(CannotListen, match=sentence):
        listen(host, 0)


def test_a_private_socket_is_for_this_user_alone_and_leaves_nothing(tmp_path):
    listening, address = listen_privately()
    path = Path(address.removeprefix("unix:"))
    mode = stat.S_IMODE(path.parent.stat().st_mode)
    listening.close()

    remove_private(address)

    assert mode == 0o700
    assert not path.parent.exists()


def test_a_private_socket_that_somebody_has_cleared_away_is_no_fault():
    listening, address = listen_privately()
    listening.close()
    shutil.rmtree(Path(address.removeprefix("unix:")).parent)

    remove_private(address)

    assert not Path(address.removeprefix("unix:")).exists()


def test_a_private_socket_fits_where_the_folder_of_temporary_files_has_a_long_name(tmp_path):
    folder = tmp_path / ("long" * 20)
    folder.mkdir()

    listening, address = listen_privately(folder)

    with socket.socket(socket.AF_UNIX) as visitor:
        visitor.connect(address.removeprefix("unix:"))
    listening.close()
    remove_private(address)


def test_an_address_for_all_is_shown_as_one_that_works_here():
    with listen("0.0.0.0", 0) as listening:
        port = listening.getsockname()[1]

        assert url_of(listening, "0.0.0.0") == f"http://127.0.0.1:{port}"
