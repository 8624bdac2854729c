"""The loops that tutti.map compiles to, and how a zygote is started."""

import sys


def plain(f, items):
    return [f(x) for x in items]


def plain_star(f, items):
    return [f(*x) for x in items]


def kept(f, items, caught):
    results = []
    for x in items:
        try:
            results.append(f(x))
        except Exception as error:
            results.append(caught(error, (x,)))
    return results


def kept_star(f, items, caught):
    results = []
    for x in items:
        try:
            results.append(f(*x))
        except Exception as error:
            results.append(caught(error, x))
    return results


def command():
    """The command of a zygote as bytes: this interpreter with its own flags.
    An embedded Python that names no executable gets one that cannot start:
    then only the caller runs tasks."""
    flags = sys.flags
    options = [
        option
        for option, on in (
            ("-I", flags.isolated),
            ("-E", flags.ignore_environment),
            ("-s", flags.no_user_site),
            ("-S", flags.no_site),
            ("-" + "O" * flags.optimize, flags.optimize),
            ("-B", flags.dont_write_bytecode),
        )
        if on
    ]
    home = __file__.rpartition("/")[0].rpartition("/")[0]
    code = (
        "import sys; sys.path[:] = [%r] + [p for p in sys.path if p];"
        "from tutti._zygote import main; main()" % home
    )
    words = [sys.executable or "", *options, "-c", code]
    return [word.encode(errors="surrogateescape") for word in words]
