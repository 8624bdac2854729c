"""What the tests of crews have in common."""

import time


class Task:
    """Keeps what is delivered."""

    def __init__(self):
        self.outcomes = []

    def deliver(self, ok, value):
        self.outcomes.append((ok, value))

    @property
    def done(self):
        return bool(self.outcomes)

    @property
    def value(self):
        ((ok, value),) = self.outcomes
        assert ok, value
        return value

    @property
    def error(self):
        ((ok, value),) = self.outcomes
        assert not ok, value
        return value


def submit(crew, f, *args, **kwargs):
    task = Task()
    crew.submit(task, f, args, kwargs)
    return task


def await_all(crew, tasks):
    assert crew.wait(lambda: all(task.done for task in tasks), 60)


def outcome(crew, f, *args, **kwargs):
    task = submit(crew, f, *args, **kwargs)
    await_all(crew, [task])
    return task


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def gone(pids):
    """Whether all of them end."""
    until = time.monotonic() + 30
    while any(map(alive, pids)):
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def close(crew):
    crew.close()
    assert crew.join(60)
