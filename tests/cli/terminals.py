"""A real pseudo-terminal, and the screen that a terminal would show (pyte reads the stream)."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pyte

import hpo

ROOT = Path(hpo.__file__).parents[1]
PATIENCE_S = 50.0


class Terminal:
    """A pseudo-terminal of a size. out: what a program writes to; raw: all bytes that came; screen: what they show"""

    def __init__(self, width=80, height=24):
        self._master, self.slave = pty.openpty()
        self.out = os.fdopen(self.slave, "w", encoding="utf-8")
        self.screen = pyte.Screen(width, height)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.resize(width, height)

    def resize(self, width, height):
        """As when a window is pulled: the program learns it when it asks."""
        self.read()
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        self.screen.resize(height, width)

    def read(self, wait_s=0.0):
        """Take what has been written up to now."""
        while select.select([self._master], [], [], wait_s)[0]:
            try:
                new = os.read(self._master, 1 << 16)
            except OSError:  # Linux's word for: nobody has it open any more
                return False
            self.raw += new
            self._stream.feed(new)
            wait_s = 0.0
        return True

    def lines(self):
        """The lines of the screen that are not empty."""
        self.read()
        return [line.rstrip() for line in self.screen.display if line.strip()]

    def type(self, keys):
        os.write(self._master, keys)

    def run(self, *words, before=(), **environ):
        """The program hpo in a session of its own on this terminal; Ctrl-C typed here reaches it.

        before: words before its own, of a program that starts it
        """

        def own():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        known = os.environ | {"PYTHONPATH": str(ROOT), "TERM": "xterm-256color"} | environ
        process = subprocess.Popen(
            [*before, sys.executable, "-m", "hpo", *words],
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            env=known,
            preexec_fn=own,
        )
        return process

    def until(self, sees):
        """Read until the screen satisfies; fails with the screen after a long while."""
        end = time.monotonic() + PATIENCE_S
        while not sees(self.lines()):
            assert time.monotonic() < end, "\n".join(self.lines())
            self.read(wait_s=0.2)

    def wait(self, process):
        """Read until the program has ended; its exit code."""
        end = time.monotonic() + PATIENCE_S
        while process.poll() is None:
            assert time.monotonic() < end, "\n".join(self.lines())
            self.read(wait_s=0.1)
        self.read()
        return process.returncode

    def modes(self):
        """How the terminal treats what is typed: echo, signals."""
        return termios.tcgetattr(self.slave)

    def close(self):
        self.out.close()
        os.close(self._master)
