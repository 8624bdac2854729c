"""Results as .npy, lines or JSON lines, in files that appear whole."""

import contextlib
import os
import sys
import time

from .failure import describe, failure_of
from .input import need_numpy
from .options import Refusal


def finite(value):
    """A value without what JSON has no word for."""
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return value


def plain(value):
    """NumPy's scalars and arrays, for JSON."""
    if hasattr(value, "tolist"):
        return finite(value.tolist())
    raise TypeError(
        "a result of type %s is not JSON: return numbers, text, lists or "
        "dicts, or write lines" % type(value).__name__
    )


def to_json(index, result):
    from json import dumps

    if failure_of(result):
        return dumps({"error": describe(result), "index": index})
    try:
        return dumps(result, default=plain, allow_nan=False)
    except ValueError:
        pass
    try:
        return dumps(finite(result), default=plain, allow_nan=False)
    except ValueError as error:
        raise TypeError(str(error))


def to_line(result):
    return describe(result) if failure_of(result) else str(result)


def write_text(stream, results, json_lines):
    for index, result in enumerate(results):
        try:
            line = to_json(index, result) if json_lines else to_line(result)
        except TypeError as error:
            raise Refusal("task %d: %s" % (index, error))
        data = line + "\n"
        stream.write(data.encode("utf-8", "surrogateescape"))


def to_array(numpy, name, results):
    good = [result for result in results if not failure_of(result)]
    try:
        array = numpy.asarray(good)
    except ValueError:
        array = numpy.asarray(None)
    if array.dtype.kind not in "biufc":
        raise Refusal(
            "%s: the results are not numbers of one shape: write .jsonl or "
            "lines" % name
        )
    if len(good) == len(results):
        return array
    kind = array.dtype if array.dtype.kind in "fc" else numpy.float64
    whole = numpy.full((len(results),) + array.shape[1:], numpy.nan, kind)
    whole[[not failure_of(result) for result in results]] = array
    return whole


@contextlib.contextmanager
def whole_file(name):
    """A file that appears whole, under its name, or not at all."""
    target = os.path.realpath(name)
    if os.path.exists(target) and not os.path.isfile(target):
        with open(target, "wb") as stream:
            yield stream
        return
    unique = ".tutti.%d.%d" % (os.getpid(), time.monotonic_ns())
    part = os.path.join(os.path.dirname(target), unique)
    try:
        with open(part, "xb") as stream:
            yield stream
        mask = os.umask(0)
        os.umask(mask)
        there = os.path.exists(target)
        mode = os.stat(target).st_mode & 0o777 if there else 0o666 & ~mask
        os.chmod(part, mode)
        os.replace(part, target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)
        raise


def to_stdout(name):
    return name in (None, "-", "/dev/stdout")


def write_results(name, results):
    if to_stdout(name):
        write_text(sys.stdout.buffer, results, False)
        sys.stdout.buffer.flush()
        return
    if name.endswith(".npy"):
        numpy = need_numpy(name)
        array = to_array(numpy, name, results)
        with whole_file(name) as stream:
            numpy.save(stream, array, allow_pickle=False)
        return
    with whole_file(name) as stream:
        write_text(stream, results, name.endswith(".jsonl"))
