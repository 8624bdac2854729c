"""Semaphores of multiprocessing's "fork" context, which have no name that a
worker could open. A page of their own holds each: it is moved into a file that
travels, at its address, so that the caller and the children it will fork go on
with it."""

import _thread
import mmap
import os
import weakref

from . import _tutti

_files = {}  # address: file that was moved there
_guard = _thread.allocate_lock()  # guards it, and moving: once for a semaphore


def _lines(pid):
    try:
        with open("/proc/%s/maps" % pid) as f:
            return f.read().splitlines()
    except OSError:
        return []


def _place(address):
    """Device and inode of what is mapped at an address."""
    for line in _lines("self"):
        if int(line.partition("-")[0], 16) == address:
            return " ".join(line.split()[3:5])
    raise RuntimeError("it is no semaphore of this process")


def _others(place):
    """Whether another process has it."""
    for pid in os.listdir("/proc"):
        if pid.isdigit() and int(pid) != os.getpid():
            for line in _lines(pid):
                if " %s " % place in line:
                    return True
    return False


def _renew_guard():
    global _guard
    _guard = _thread.allocate_lock()


os.register_at_fork(after_in_child=_renew_guard)


def _file_of(lock, address):
    with _guard:
        return _moved(lock, address)


def _moved(lock, address):
    if address in _files:
        return _files[address]
    if _others(_place(address)):
        raise RuntimeError(
            "it belongs to processes that were forked before: "
            "send it before they start"
        )
    file = os.memfd_create("tutti-semaphore", os.MFD_CLOEXEC)
    try:
        os.ftruncate(file, mmap.PAGESIZE)
        _tutti.move(address, file)
    except BaseException:
        os.close(file)
        raise
    _files[address] = file
    weakref.finalize(lock, lambda: os.close(_files.pop(address)))
    return file


def reduce(lock):
    """How a semaphore travels, of whatever context."""
    inner = lock._semlock
    if inner.name is not None:
        return _by_name, (type(lock), inner.kind, inner.maxvalue, inner.name)
    from multiprocessing.context import assert_spawning
    from multiprocessing.reduction import DupFd

    assert_spawning(lock)
    file = DupFd(_file_of(lock, inner.handle))
    return _by_file, (type(lock), inner.kind, inner.maxvalue, file)


# In a worker.


def _rebuilt(type, handle, kind, most, name):
    import _multiprocessing

    lock = type.__new__(type)
    lock._semlock = _multiprocessing.SemLock._rebuild(handle, kind, most, name)
    lock._is_fork_ctx = False
    lock._make_methods()
    return lock


def _by_name(type, kind, most, name):
    return _rebuilt(type, 0, kind, most, name)


def _by_file(type, kind, most, file):
    import ctypes

    file = file.detach()
    page = mmap.mmap(file, mmap.PAGESIZE)
    os.close(file)
    handle = ctypes.addressof(ctypes.c_char.from_buffer(page))
    lock = _rebuilt(type, handle, kind, most, None)
    lock._tutti_page = page
    return lock
