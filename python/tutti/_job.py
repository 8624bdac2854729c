"""What a worker needs before its first range: the caller's half. The other is
_worker.py."""

import _pickle as pickle
import os
import sys

from ._fault import cut
from ._wire import PROTOCOL, dump, refuse


def dump_job(f, star, keep):
    """What a worker needs before its first range: bytes and buffers."""
    try:
        function, buffers = dump(f)
    except Exception as error:
        what = "the function %s cannot be sent to another process" % cut(f)
        raise refuse(what, error)
    state = (os.getcwd(), sys.path, bool(star), bool(keep), function)
    return pickle.dumps(state, PROTOCOL), buffers
