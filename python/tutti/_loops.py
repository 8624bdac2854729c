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
        except caught.kinds as error:
            results.append(caught(error, (x,)))
    return results


def kept_star(f, items, caught):
    results = []
    for x in items:
        try:
            results.append(f(*x))
        except caught.kinds as error:
            results.append(caught(error, x))
    return results


def command(f=None):
    """The command of a zygote as bytes: this interpreter with its own flags,
    and the modules that f uses. An embedded Python that names no executable,
    and a frozen one, whose executable is the program itself, get one that
    cannot start: then only the caller runs tasks."""
    flags = sys.flags
    options = [
        option
        for option, on in (
            ("-I", flags.isolated),
            ("-E", flags.ignore_environment),
            ("-s", flags.no_user_site),
            ("-S", flags.no_site),
            ("-" + "b" * flags.bytes_warning, flags.bytes_warning),
            ("-" + "O" * flags.optimize, flags.optimize),
            ("-B", flags.dont_write_bytecode),
        )
        if on
    ]
    for name, value in sys._xoptions.items():
        if name != "importtime":
            options += "-X", name if value is True else "%s=%s" % (name, value)
    home = __file__.rpartition("/")[0].rpartition("/")[0]
    code = (
        "import sys; sys.path[:] = [%r] + [p for p in sys.path if p];"
        "from tutti._zygote import main; main()" % home
    )
    from ._preload import modules

    frozen = getattr(sys, "frozen", False)
    program = "" if frozen else sys.executable or ""
    words = [program, *options, "-c", code, *modules(f)]
    return [word.encode(errors="surrogateescape") for word in words]
