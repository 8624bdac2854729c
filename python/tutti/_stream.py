"""What tasks print: a worker's standard streams, which take it to the caller's
sys.stdout and sys.stderr."""

import _thread
import io
import os
import sys

from . import _tutti

OUT, ERR = 1, 2
MOST = 1 << 20  # characters of a line that has no end yet


def encode(text):
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace")


class Buffer(io.BufferedIOBase):
    """The bytes' side of a stream."""

    def __init__(self, stream):
        import codecs

        self.raw = self
        self._stream = stream
        self._decode = codecs.getincrementaldecoder("utf-8")("surrogateescape")

    def writable(self):
        return True

    def fileno(self):
        return self._stream.fileno()

    def write(self, data):
        size = memoryview(data).nbytes
        self._stream.write(self._decode.decode(bytes(data)))
        return size

    def flush(self):
        self._stream.flush()


class Stream(io.TextIOBase):
    """Lets out whole lines; what is behind the last one at a flush."""

    mode = "w"
    encoding = "utf-8"
    errors = "surrogateescape"
    line_buffering = True
    write_through = False

    def __init__(self, voice):
        self.name = ("<stdout>", "<stderr>")[voice - OUT]
        self._voice = voice
        self._pieces, self._size = [], 0
        self._lock = _thread.RLock()

    def writable(self):
        return True

    def fileno(self):
        return self._voice

    def reconfigure(self, **options):
        self.flush()

    @property
    def buffer(self):
        if not hasattr(self, "_buffer"):
            self._buffer = Buffer(self)
        return self._buffer

    def write(self, text):
        if not isinstance(text, str):
            raise TypeError(
                "write() argument must be str, not %s" % type(text).__name__
            )
        if self.closed:
            raise ValueError("I/O operation on closed file.")
        with self._lock:
            self._pieces.append(text)
            self._size += len(text)
            if "\n" in text or self._size > MOST:
                self._let_out(whole=self._size <= MOST)
        return len(text)

    def flush(self):
        with self._lock:
            if self._pieces:
                self._let_out(whole=False)

    def _let_out(self, whole):
        text = "".join(self._pieces)
        end = text.rfind("\n") + 1 if whole else len(text)
        self._pieces = [text[end:]] if end < len(text) else []
        self._size = len(text) - end
        _tutti.say(self._voice, encode(text[:end]))

    def _renew(self):
        """In a forked child: what waits is the parent's to let out."""
        self._pieces, self._size = [], 0
        self._lock = _thread.RLock()


class Streams:
    """Those of a worker."""

    def __init__(self):
        self.both = None

    def _put(self):
        if not self.both or any(one.closed for one in self.both):
            self.both = Stream(OUT), Stream(ERR)
        sys.stdout, sys.stderr = self.both

    def enter(self):
        """Tasks print to the caller from here on."""
        if not self.both:
            os.register_at_fork(after_in_child=self._renew)
        self._put()

    def _renew(self):
        for one in self.both:
            one._renew()

    def flush(self):
        """Lets out what tasks have printed; also what replaced the streams."""
        for stream in (sys.stdout, sys.stderr, *self.both):
            try:
                stream.flush()
            except Exception:
                pass


# In the caller.


_told = set()  # warnings; several workers may have the same to say


def say(voice, data):
    """What a worker says."""
    text = data.decode("utf-8", "surrogateescape")
    if voice not in (OUT, ERR):
        if text not in _told:
            _told.add(text)
            warn(text)
        return
    stream = sys.stdout if voice == OUT else sys.stderr
    try:
        stream.write(text)
    except UnicodeEncodeError:
        stream.buffer.write(data)
    except Exception:
        pass  # it is None, closed or full: a task could not help it either


def warn(text):
    """A warning that points at the line that called tutti."""
    import warnings

    here = os.path.dirname(__file__) + os.sep
    frame, level = sys._getframe(1), 2
    while frame and frame.f_code.co_filename.startswith(here):
        frame, level = frame.f_back, level + 1
    try:
        warnings.warn(text, RuntimeWarning, level if frame else 1)
    except Warning as error:  # a filter's wish; the results are not lost for it
        say(ERR, encode("%s: %s\n" % (type(error).__name__, error)))
