"""Failures of tasks, as the command tells them."""

import os
import sys

from .._fault import Error

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


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
    import traceback  # slow to import, and seldom needed

    trace = error.__traceback__
    while trace and trace.tb_frame.f_code.co_filename.startswith(
        (PACKAGE + os.sep, "<frozen ")
    ):
        trace = trace.tb_next
    shown = traceback.TracebackException(type(error), error, trace)
    shown.__notes__ = None
    sys.stderr.writelines(shown.format())


def say(sentence):
    sys.stderr.write("tutti: %s\n" % sentence)


def say_failure(error, before):
    failure = failure_of(error)
    if isinstance(error, Error):  # its sentence names the task
        say("%s%s (%s)" % (before, error, failure.arguments))
        return
    say(
        "%stask %d failed: %s (%s)"
        % (before, failure.index, describe(error), failure.arguments)
    )
    show_traceback(error)
