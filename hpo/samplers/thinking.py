"""A process that works out plans: `python -m hpo.samplers.thinking SOCKET`, started by `samplers.apart`.

GP regression needs torch, which the coordinator's process never loads, and seconds for a plan, in which a
lease may run out. One question is one message; the answer is its plans, or what went wrong.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection

# Plans must not depend on how many cores there are; Optuna's GP is quicker on one thread as well.
ENVIRONMENT: Mapping[str, str] = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_CBWR": "AVX2",
    "CUDA_VISIBLE_DEVICES": "",
}

_PR_SET_PDEATHSIG = 1


def main(arguments: Sequence[str]) -> None:
    """Answer until the coordinator hangs up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the coordinator's to answer
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.environ.update(ENVIRONMENT)
    # Imported here because numpy and torch read the environment above when they are first imported.
    from hpo.samplers.adaptive import answer

    connection = Connection(int(arguments[0]))
    while True:
        try:
            question = connection.recv()
        except (EOFError, OSError):
            return
        try:
            said: object = answer(question)
        except Exception as error:  # noqa: BLE001  # a door: the coordinator says it in its own words
            said = f"{type(error).__name__}: {error}"
        try:
            connection.send(said)
        except OSError:
            return


if __name__ == "__main__":
    main(sys.argv[1:])
