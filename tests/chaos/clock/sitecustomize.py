"""Python's sleep by another call of the system: libfaketime refuses the one until a moment of monotonic time."""

import select
import time


def sleep(seconds: float) -> None:
    """Do nothing for so long."""
    select.select([], [], [], seconds)


time.sleep = sleep
