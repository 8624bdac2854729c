"""A progress bar on a terminal's standard error; nothing elsewhere."""

import sys
import time


def bar():
    """A function of (done, n) that draws, or None where nobody looks. n is -1
    while nobody knows it."""
    stream = sys.stderr
    try:
        if not stream.isatty():
            return None
    except Exception:
        return None
    began = time.monotonic()

    def draw(done, n):
        seconds = time.monotonic() - began
        rate = done / seconds if seconds > 0 else 0.0
        if n < 0:
            stream.write("\r%d done  %.3g/s \x1b[K" % (done, rate))
            stream.flush()
            return
        share = done / n if n else 1.0
        left = (n - done) / rate if rate else 0.0
        filled = int(30 * share)
        bar = "#" * filled + "." * (30 - filled)
        stream.write(
            "\r[%s] %3d %%  %d/%d  %.3g/s  %d s left \x1b[K"
            % (bar, 100 * share, done, n, rate, left)
        )
        if done == n:
            stream.write("\n")
        stream.flush()

    return draw
