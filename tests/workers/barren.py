"""A nursery on a machine that has no room for another process."""

import errno
import os
import sys

from hpo.workers import nursery


def fork():
    raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))


if __name__ == "__main__":
    os.fork = fork
    nursery.PRELOADED = ()
    nursery.main(sys.argv[1:])
