"""The Python side of the command: python -m tutti map FILE.py:NAME ...

`tutti map` runs this for Python functions; it takes the same options.
"""

import argparse
import contextlib
import json
import os
import re
import signal
import sys
import tempfile
import traceback

import tutti

OK, FAILED, USAGE = 0, 1, 2


class Refusal(Exception):
    """What was asked cannot be done; the sentence says why."""


class Parser(argparse.ArgumentParser):
    def error(self, message):
        raise Refusal(message)


def parse_range(text):
    fields = re.fullmatch(r"([+-]?\d+)(?::([+-]?\d+))?(?::([+-]?\d+))?", text)
    numbers = [int(field) for field in fields.groups() if field] if fields else []
    if len(numbers) == 1:
        numbers.insert(0, 0)
    if not numbers or numbers[2:] == [0] or not range(*numbers):
        raise argparse.ArgumentTypeError(
            "%s: expected [FIRST:]LAST[:STEP], at least one number" % text
        )
    return range(*numbers)


def parse_count(text):
    if not text.isdigit() or not 1 <= int(text) <= 1024:
        raise argparse.ArgumentTypeError(
            "%s: expected a whole number from 1 to 1024" % text
        )
    return int(text)


def parse_seconds(text):
    with contextlib.suppress(ValueError):
        if 0 < float(text) < float("inf"):
            return float(text)
    raise argparse.ArgumentTypeError("%s: expected seconds above 0" % text)


def make_parser():
    parser = Parser(
        prog="python -m tutti map",
        allow_abbrev=False,
        description="Maps a Python function over numbers, an array or lines. "
        "The command `tutti map` does the same, and C functions.",
    )
    add = parser.add_argument
    add("function", metavar="FILE.py:NAME")
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--range", type=parse_range, metavar="[FIRST:]LAST[:STEP]"
    )
    source.add_argument("--over", metavar="FILE")
    add("-o", "--output", metavar="FILE")
    add("--on", metavar="PLACE", default="auto")
    add("--workers", type=parse_count, metavar="N")
    add("--task-timeout", type=parse_seconds, metavar="SECONDS")
    add("--errors", choices=("raise", "return"), default="raise")
    add("--progress", action="store_true")
    add("--explain", action="store_true")
    add("--trace", metavar="FILE")
    return parser


# The function and what it is mapped over.


def load_module(path):
    """The file as a module that workers can import, its folder first."""
    stem = os.path.splitext(os.path.basename(path))[0]
    if "." in stem or stem in sys.modules or stem in sys.builtin_module_names:
        raise Refusal(
            "%s: %s is no name for a file of functions (a module of Python "
            "has it, or it has a dot): rename the file" % (path, stem)
        )
    folder = os.path.dirname(os.path.abspath(path))
    if sys.path and sys.path[0] in ("", os.getcwd()):
        del sys.path[0]  # what -m has put there
    sys.path.insert(0, folder)
    from importlib import util

    spec = util.spec_from_file_location(stem, os.path.join(folder, stem + ".py"))
    module = sys.modules[stem] = util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except FileNotFoundError as error:
        if error.filename != spec.origin:
            raise
        raise Refusal("there is no file %s: expected FILE.py:NAME" % path)
    return module


def load_function(text):
    path, _, name = text.rpartition(":")
    if not path.endswith(".py") or not name:
        raise Refusal("'%s': expected FILE.py:NAME" % text)
    try:
        module = load_module(path)
    except (Exception, SystemExit) as error:
        if isinstance(error, Refusal):
            raise
        show_traceback(error)
        raise Refusal("%s cannot be loaded: %s" % (path, describe(error)))
    function = getattr(module, name, None)
    if callable(function):
        return function
    if function is not None:
        raise Refusal(
            "%s: %s is a %s: expected a function"
            % (path, name, type(function).__name__)
        )
    raise Refusal("%s has no function %s%s" % (path, name, near(module, name)))


def near(module, name):
    import difflib

    there = [key for key, value in vars(module).items() if callable(value)]
    close = difflib.get_close_matches(name, there, 1)
    return ": did you mean %s?" % close[0] if close else ""


def need_numpy(name):
    try:
        import numpy
    except ImportError:
        raise Refusal(
            "%s: .npy files need NumPy, which %s lacks: install numpy there, "
            "or use lines" % (name, sys.executable)
        )
    return numpy


def read_lines(stream):
    return [
        line[:-2] if line.endswith("\r\n") else line.rstrip("\n")
        for line in stream
    ]


def load_items(options):
    if options.range is not None:
        return options.range
    name = options.over or "-"
    text = {"encoding": "utf-8", "errors": "surrogateescape", "newline": "\n"}
    try:
        if name == "-":
            with open(0, closefd=False, **text) as stream:
                return read_lines(stream)
        if name.endswith(".npy"):
            numpy = need_numpy(name)
            array = numpy.load(name, mmap_mode="c", allow_pickle=False)
            return numpy.asarray(array)
        with open(name, **text) as stream:
            return read_lines(stream)
    except (OSError, ValueError, EOFError) as error:
        reason = getattr(error, "strerror", None) or str(error).split("\n")[0]
        raise Refusal("%s cannot be read: %s" % (name, reason))


# Failures.


def failure_of(result):
    """The index and argument of a failed task, or None."""
    if isinstance(result, BaseException):
        return getattr(result, "tutti", None)
    return None


def describe(error):
    text = str(error)
    name = type(error).__name__
    return "%s: %s" % (name, text) if text else name


def show_traceback(error):
    """The traceback as the task raised it: the user's frames."""
    remote = error.__cause__
    if type(remote).__name__ == "RemoteTraceback":
        sys.stderr.write(remote.args[0])
        return
    trace, here = error.__traceback__, os.path.dirname(__file__)
    while trace and (
        trace.tb_frame.f_code.co_filename.startswith((here, "<frozen "))
    ):
        trace = trace.tb_next
    shown = traceback.TracebackException(type(error), error, trace)
    shown.__notes__ = None
    sys.stderr.writelines(shown.format())


def say(sentence):
    sys.stderr.write("tutti: %s\n" % sentence)


def say_failure(error, before):
    failure = failure_of(error)
    say(
        "%stask %d failed: %s (%s)"
        % (before, failure.index, describe(error), failure.arguments)
    )
    show_traceback(error)


# Outputs.


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
    if failure_of(result):
        return json.dumps({"error": describe(result), "index": index})
    try:
        return json.dumps(result, default=plain, allow_nan=False)
    except ValueError:
        pass
    try:
        return json.dumps(finite(result), default=plain, allow_nan=False)
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
    fd, part = tempfile.mkstemp(prefix=".tutti.", dir=os.path.dirname(target))
    try:
        with open(fd, "wb") as stream:
            yield stream
        mask = os.umask(0)
        os.umask(mask)
        there = os.path.exists(target)
        mode = os.stat(target).st_mode & 0o777 if there else 0o666 & ~mask
        os.chmod(part, mode)
        os.replace(part, target)
    except BaseException:
        os.unlink(part)
        raise


def write_results(name, results):
    if name is None or name in ("-", "/dev/stdout"):
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


def write(name, results):
    try:
        write_results(name, results)
    except BrokenPipeError:
        die_by(signal.SIGPIPE)
    except OSError as error:
        raise Refusal(
            "%s: writing failed (%s): free some space or write elsewhere"
            % (name or "standard output", error.strerror)
        )


# The command.


def run_map(options, function, items):
    """The results, or the status of a map that gave none."""
    try:
        return tutti.map(
            function, items, on=options.on, workers=options.workers,
            task_timeout=options.task_timeout, errors=options.errors,
            progress=options.progress,
        ), OK
    except SystemExit as error:
        say("a task called sys.exit(%r): raise an exception" % (error.code,))
        return None, FAILED
    except Exception as error:
        if failure_of(error):
            say_failure(error, "")
            return None, FAILED
        if isinstance(error, (tutti.Error, tutti.WorkerLostError)):
            say(str(error))
            return None, FAILED
        if isinstance(error, (ValueError, TypeError, OSError, MemoryError)):
            raise Refusal(str(error))
        raise


def tell(options):
    if options.explain:
        columns = os.get_terminal_size(2).columns if os.isatty(2) else 80
        sys.stderr.write(tutti.explain().rstrip("\n") + "\n")
        drawn = tutti.timeline(min(max(columns, 40), 500))
        sys.stderr.write(drawn.rstrip("\n") + "\n")
    if options.trace:
        try:
            tutti.trace(options.trace)
        except OSError as error:
            raise Refusal(str(error))


def command(arguments):
    if arguments[:1] != ["map"]:
        raise Refusal("expected python -m tutti map FILE.py:NAME ...")
    options = make_parser().parse_args(arguments[1:])
    if (options.output or "").endswith(".npy"):
        need_numpy(options.output)
    function = load_function(options.function)
    items = load_items(options)
    results, status = run_map(options, function, items)
    if results is not None:
        write(options.output, results)
        failed = [result for result in results if failure_of(result)]
        if failed:
            counts = "%d of %d tasks failed; " % (len(failed), len(results))
            say_failure(failed[0], counts)
            status = FAILED
    tell(options)
    return status


def die_by(number):
    """Ends as the signal would have: a shell shows 128 + its number."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def terminate(number, frame):
    raise KeyboardInterrupt(number)


def main():
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, terminate)
    try:
        return command(sys.argv[1:])
    except Refusal as refusal:
        say(refusal)
        return USAGE
    except KeyboardInterrupt as interrupt:
        die_by(interrupt.args[0] if interrupt.args else signal.SIGINT)


if __name__ == "__main__":
    sys.exit(main())
