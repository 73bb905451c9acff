"""Who is let in at the door of a Ray cluster, and what hpo says there: asked of real heads, open and with a token."""

import logging
import socket
import threading
from contextlib import ExitStack, contextmanager, suppress

import pytest

from hpo.errors import PoolError
from hpo.workers.ray_door import here, knock, way_in
from hpo.workers.ray_probe import address_of, lets_in
from tests.workers.ray_heads import TOKEN, both_heads, free_port

pytestmark = [pytest.mark.ray, pytest.mark.timeout(60)]


@pytest.fixture(scope="module")
def heads(tmp_path_factory):
    with ExitStack() as stack:
        yield [stack.enter_context(one) for one in both_heads(tmp_path_factory.mktemp("heads"))]


@pytest.fixture
def open_head(heads):
    return heads[0]


@pytest.fixture
def shut_head(heads):
    return heads[1]


@pytest.fixture
def home(tmp_path):
    return tmp_path / "hpo"


@pytest.fixture
def env(tmp_path):
    """An environment whose home has no token yet."""
    return {"HOME": str(tmp_path)}


def keep_token(tmp_path, text=TOKEN):
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text(f"{text}\n")


def with_token(file):
    return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(file)}


def enter(address, env, home):
    return way_in(knock(address, env), env, home)


def test_a_head_without_a_token_lets_everybody_in(open_head):
    place = address_of(open_head)

    assert [lets_in(place, token) for token in (None, TOKEN, "another")] == [True, True, True]


def test_a_head_with_a_token_lets_in_who_shows_it(shut_head):
    place = address_of(shut_head)
    longest = "0" * 300  # its length takes three bytes

    assert [lets_in(place, token) for token in (TOKEN, None, "", "another", longest)] == [True] + [False] * 4


def test_an_open_cluster_is_joined_with_a_loud_warning(open_head, env, home, caplog):
    with caplog.at_level(logging.WARNING):
        found = enter(open_head, env, home)

    assert found == {"RAY_AUTH_MODE": "disabled"}
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert f"the Ray cluster at {open_head} is OPEN" in caplog.text
    assert "RAY_AUTH_MODE=token on every machine" in caplog.text


def test_nobody_is_warned_of_what_he_has_asked_for(open_head, env, home, caplog):
    assert enter(open_head, env | {"RAY_AUTH_MODE": "disabled"}, home) == {"RAY_AUTH_MODE": "disabled"}
    assert not caplog.records


def test_whoever_wants_a_token_asked_for_joins_no_open_cluster(open_head, env, home, tmp_path):
    keep_token(tmp_path)

    with pytest.raises(PoolError, match=r"RAY_AUTH_MODE=token, but the Ray cluster at \S+ is OPEN"):
        enter(open_head, env | {"RAY_AUTH_MODE": "token"}, home)


@pytest.mark.parametrize("mode", [{}, {"RAY_AUTH_MODE": ""}, {"RAY_AUTH_MODE": "Token"}])
def test_a_token_where_ray_looks_is_shown_without_being_asked_to(shut_head, env, home, tmp_path, mode):
    keep_token(tmp_path)

    assert enter(shut_head, env | mode, home) == with_token(tmp_path / ".ray" / "auth_token")


def test_a_token_is_looked_for_in_rays_order_and_in_the_home_of_hpo_last(shut_head, env, home, tmp_path):
    home.mkdir()
    own = home / "ray_token"
    own.write_text(TOKEN)
    assert enter(shut_head, env, home) == with_token(own)

    keep_token(tmp_path, "another")
    usual = tmp_path / ".ray" / "auth_token"
    with pytest.raises(PoolError, match=f"refuses the token in {usual}; copy"):
        enter(shut_head, env, home)

    named = tmp_path / "named"
    named.write_text(TOKEN)
    path = env | {"RAY_AUTH_TOKEN_PATH": str(named)}
    assert enter(shut_head, path, home) == with_token(named)
    assert enter(shut_head, env | {"RAY_AUTH_TOKEN": TOKEN}, home) == {"RAY_AUTH_MODE": "token"}

    with pytest.raises(PoolError, match="refuses the token in RAY_AUTH_TOKEN; copy"):
        enter(shut_head, path | {"RAY_AUTH_TOKEN": "another"}, home)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ({}, r"asks for a token, and there is none here; copy ~/.ray/auth_token of its head"),
        ({"RAY_AUTH_MODE": "disabled"}, "RAY_AUTH_MODE=disabled shows none; leave it out"),
        ({"RAY_AUTH_MODE": "tokn"}, "RAY_AUTH_MODE must be token or disabled, got 'tokn'"),
        ({"RAY_AUTH_TOKEN_PATH": "/nowhere"}, "the token for Ray in /nowhere cannot be read: No such file"),
    ],
)
def test_what_keeps_out_is_one_sentence_with_its_cure(shut_head, env, home, words, sentence):
    with pytest.raises(PoolError, match=sentence):
        enter(shut_head, env | words, home)


def test_the_cluster_of_this_machine_is_where_ray_wrote_it_down(shut_head, env, tmp_path):
    env["RAY_TMPDIR"] = str(tmp_path)
    assert here(env) is None
    assert knock("auto", env).head is None  # Ray looks further

    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "ray_current_cluster").write_text(shut_head)
    assert knock("auto", env).address == shut_head

    (tmp_path / "ray" / "ray_current_cluster").write_text(f"127.0.0.1:{free_port()}")  # of one that has ended
    assert here(env) is None


def test_what_only_ray_can_ask_is_joined_with_the_token_that_is_there(env, home, tmp_path):
    tls = env | {"RAY_USE_TLS": "1"}
    assert enter("10.0.0.1:6379", tls, home) == {"RAY_AUTH_MODE": "disabled"}

    keep_token(tmp_path)
    assert enter("10.0.0.1:6379", tls, home) == with_token(tmp_path / ".ray" / "auth_token")


@contextmanager
def answering(answer, *, hangs_up=True):
    """The address of a server that gives one caller an answer, hangs up or not, and waits until it is alone."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            connection, _ = server.accept()
            with connection, suppress(OSError):
                connection.sendall(answer)
                if hangs_up:
                    connection.shutdown(socket.SHUT_WR)
                while connection.recv(4096):
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        thread.join()


def ended(headers):
    """The frame of headers with which a stream ends."""
    return len(headers).to_bytes(3) + b"\x01\x05\0\0\0\x01" + headers


# What a raylet says: it speaks gRPC, and knows no head's methods.
RAYLET = ended(b" \x88@\x0ccontent-type\x10application/grpc@\x0bgrpc-status\x0212")


OTHERS = {
    "HTTP/1": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "Redis": b"-ERR unknown command 'PRI'\r\n",
    "SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
    "TLS": b"\x15\x03\x01\x00\x02\x02\x46",
    "one that hangs up": b"",
    "HTTP/2 without gRPC": ended(b""),
    "a raylet": RAYLET,
}


@pytest.mark.parametrize("answer", OTHERS.values(), ids=OTHERS)
def test_what_is_no_head_of_ray_is_said_to_be_none(answer, env):
    with (
        answering(answer) as address,
        pytest.raises(PoolError, match=f"what answers at {address} is not the head of a Ray cluster"),
    ):
        knock(address, env)


def test_one_that_never_answers_is_given_up(env):
    with (
        answering(b"\0\0\0\x04\0\0\0\0\0", hangs_up=False) as address,
        pytest.raises(PoolError, match=f"no Ray answers at {address}: "),
    ):
        knock(address, env, timeout_s=0.1)
