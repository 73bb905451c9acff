"""A process that works out plans: `python -m hpo.samplers.thinking SOCKET`, started by `samplers.apart`.

GP regression needs torch, which the coordinator's process never loads, and seconds for a plan, in which a
lease may run out. One question is one message; the answer is its plans, or what went wrong. None is no answer: it
says that this process lives, once when it listens, then every second while it thinks.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection

from hpo.lifeline import die_with_parent

# Plans must not depend on how many cores there are; Optuna's GP is quicker on one thread as well.
ENVIRONMENT: Mapping[str, str] = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_CBWR": "AVX2",
    "CUDA_VISIBLE_DEVICES": "",
}

BEAT_S = 1.0


def main(arguments: Sequence[str]) -> None:
    """Answer until the coordinator hangs up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the coordinator's to answer
    die_with_parent()
    os.environ.update(ENVIRONMENT)
    try:
        _answer_all(Connection(int(arguments[0])))
    except (EOFError, OSError):
        return


def _answer_all(connection: Connection) -> None:
    """Raises EOFError, OSError once nobody asks any more."""
    mouth, thinks = threading.Lock(), threading.Event()

    def say(words: object) -> None:
        with mouth:  # two threads speak, and a message must not be cut in two
            connection.send(words)

    say(None)
    threading.Thread(target=_beat, args=(say, thinks), daemon=True).start()
    while True:
        # Taken before the imports below: whoever asks must not wait for them with half a question said.
        asked = connection.recv_bytes()
        thinks.set()
        said = _answered(asked)
        thinks.clear()
        say(said)


def _answered(asked: bytes) -> object:
    try:
        # Imported here because numpy and torch read the environment above when they are first imported.
        from hpo.samplers.adaptive import answer

        return answer(pickle.loads(asked))
    except Exception as error:  # noqa: BLE001  # a door: the coordinator says it in its own words
        return f"{type(error).__name__}: {error}"


def _beat(say: Callable[[object], None], thinks: threading.Event) -> None:
    while True:
        thinks.wait()
        try:
            say(None)
        except OSError:
            return  # the coordinator is gone; the other thread notices too
        time.sleep(BEAT_S)


if __name__ == "__main__":
    main(sys.argv[1:])
