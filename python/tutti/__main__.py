"""The Python side of the command: python -m tutti map FILE.py:NAME ...

`tutti map` runs this for Python functions; it takes the same options.
"""

import _signal as signal
import os
import sys

import tutti

from ._command.failure import failure_of, say, say_failure
from ._command.input import load_function, load_items, need_numpy
from ._command.options import Options, Refusal
from ._command.output import to_stdout, write_results

OK, FAILED, USAGE = 0, 1, 2


def write(name, results):
    try:
        write_results(name, results)
    except BrokenPipeError:
        die_by(signal.SIGPIPE)
    except OSError as error:
        if to_stdout(name):  # what is left there is not tried again at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        raise Refusal(
            "%s: writing failed (%s): free some space or write elsewhere"
            % ("standard output" if to_stdout(name) else name, error.strerror)
        )


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
