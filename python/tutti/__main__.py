"""The Python side of the command: python -m tutti map FILE.py:NAME ...

`tutti map` runs this for Python functions; it takes the same options.
"""

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


def parse_range(name, text):
    fields = re.fullmatch(r"([+-]?\d+)(?::([+-]?\d+))?(?::([+-]?\d+))?", text)
    numbers = [int(field) for field in fields.groups() if field] if fields else []
    if len(numbers) == 1:
        numbers.insert(0, 0)
    if numbers and numbers[2:] != [0] and range(*numbers):
        return range(*numbers)
    raise Refusal(
        "%s %s: expected [FIRST:]LAST[:STEP], at least one number" % (name, text)
    )


def parse_count(name, text):
    if re.fullmatch(r"\+?\d+", text) and 1 <= int(text) <= 1024:
        return int(text)
    raise Refusal(
        "%s %s: expected a whole number from 1 to 1024" % (name, text)
    )


def parse_seconds(name, text):
    with contextlib.suppress(ValueError):
        if 0 < float(text) < float("inf"):
            return float(text)
    raise Refusal(
        "%s %s: expected seconds above 0, such as 30 or 0.5" % (name, text)
    )


def parse_errors(name, text):
    if text in ("raise", "return"):
        return text
    raise Refusal("%s %s: expected raise|return" % (name, text))


def parse_word(name, text):
    return text


# An option and what reads its value; None: it has none.
OPTIONS = {
    "--range": parse_range,
    "--over": parse_word,
    "--output": parse_word,
    "--on": parse_word,
    "--workers": parse_count,
    "--task-timeout": parse_seconds,
    "--errors": parse_errors,
    "--progress": None,
    "--explain": None,
    "--trace": parse_word,
}


class Options:
    """What was asked; each option is an attribute."""

    def __init__(self, arguments):
        self.function = self.range = self.over = self.output = None
        self.on, self.errors = "auto", "raise"
        self.workers = self.task_timeout = self.trace = None
        self.progress = self.explain = False
        left = iter(arguments)
        for argument in left:
            if argument == "--":
                for word in left:
                    self._operand(word)
            elif argument[:1] == "-" and argument != "-":
                self._option(argument, left)
            else:
                self._operand(argument)
        if self.function is None:
            raise Refusal("the function is missing: expected FILE.py:NAME")
        if self.over is not None and self.range is not None:
            raise Refusal("--range and --over: give one of them")

    def _operand(self, word):
        if self.function is not None:
            raise Refusal("unexpected argument '%s'" % word)
        self.function = word

    def _option(self, argument, left):
        name, equals, value = argument.partition("=")
        if argument[:2] == "-o":
            name, value = "--output", argument[2:]
            equals = value
        if name not in OPTIONS or (equals and OPTIONS[name] is None):
            raise Refusal("unknown option %s" % argument)
        attribute = name[2:].replace("-", "_")
        if OPTIONS[name] is None:
            setattr(self, attribute, True)
            return
        if not equals:
            value = next(left, None)
        if not value:
            raise Refusal("%s: its value is missing" % name)
        setattr(self, attribute, OPTIONS[name](name, value))


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
        if isinstance(error, tutti.Error) and type(error) is not tutti.Error:
            say(error)
            return None, FAILED
        if isinstance(error, (tutti.Error, ValueError, OSError, MemoryError)):
            raise Refusal(error)
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
    options = Options(arguments[1:])
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
