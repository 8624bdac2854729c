"""Faults at random instants: runs maps, pools and executors in a process of
their own, and kills, stops and interrupts what is there.

    python tests/chaos/chaos.py [--runs N] [--seed S] [--jobs J] [--faces F,...]

Wanted: no call outlives its last cause by 10 s; answers are right, or the error
is of a type that the cause allows; afterwards the same pool gives right
answers, and no process, descriptor or segment is left. The same seed and jobs
make the same choices. Ends with 1 if anything failed.
"""
import argparse
import ctypes
import json
import os
import pathlib
import random
import select
import signal
import subprocess
import sys
import tempfile
import time

import trouble

HERE = pathlib.Path(__file__).resolve().parent
LOOPS = HERE.parents[1] / "build/tests/chaos/loops"  # the victim in C
LIMIT = 10  # seconds from the last cause to the end
TIMEOUT = 0.15  # of a task, where one is set
LIFE = 60  # runs of one victim, on average


# Processes -------------------------------------------------------------------

def children(pid):
    try:
        tasks = os.listdir("/proc/%d/task" % pid)
        found = []
        for task in tasks:
            with open("/proc/%d/task/%s/children" % (pid, task)) as f:
                found += map(int, f.read().split())
        return found
    except OSError:
        return []


def descriptors(pid):
    try:
        return len(os.listdir("/proc/%d/fd" % pid))
    except OSError:
        return 0


def family(pid):
    below = []
    for child in children(pid):
        below += [child] + family(child)
    return below


def state(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rpartition(")")[2].split()[0]
    except OSError:
        return None


def send(pid, number):
    """Whether there was such a process."""
    try:
        os.kill(pid, number)
        return True
    except ProcessLookupError:
        return False


def adopt():
    """Orphans below this process become its children."""
    subreaper = 36
    if ctypes.CDLL(None, use_errno=True).prctl(subreaper, 1, 0, 0, 0):
        sys.exit("prctl: " + os.strerror(ctypes.get_errno()))


def reap(seconds):
    """Waits until no child is left; those that stay, by their command."""
    end = time.monotonic() + seconds
    while children(os.getpid()):
        if os.waitpid(-1, os.WNOHANG)[0] == 0:
            if time.monotonic() > end:
                break
            time.sleep(0.002)
    left = []
    for pid in family(os.getpid()):
        with open("/proc/%d/cmdline" % pid) as f:
            left.append("%d %s %s" % (pid, state(pid), f.read()[:80]))
        send(pid, signal.SIGKILL)
    return left


# What is to happen -----------------------------------------------------------

class Plan:
    """One run: what is asked for, what strikes it, when, what may come of
    it."""

    CAUSES = [None] * 8 + ["kill"] * 7 + ["kill all"] * 3 + ["stop"] * 3 + [
        "interrupt"] * 5 + ["zygote"] * 2 + ["parent", "exit"]

    def __init__(self, rng, faces):
        self.face = rng.choice(faces)
        self.cause = rng.choice(self.CAUSES)
        inner = self.cause is None or rng.random() < 0.15
        n = rng.choice([1, 2, 3, 8, 20, 60, 200])
        seconds = rng.choice([0, 3e-3, 1e-2, 3e-2]) / n
        if self.face == "auto" or not inner:
            self.trouble = None
        else:
            self.trouble = rng.choice(trouble.TROUBLES)
        if self.face == "c":
            self.be_plain()
        self.options = self.choose_options(rng)
        if self.trouble and self.trouble[2] == "hang" and (
                "task_timeout" not in self.options):
            self.trouble = ("task", None, "crash")
        if self.cause in ("interrupt", "exit") and (
                self.face in ("threads", "c")):
            self.cause = "kill"  # no thread but the first is interrupted
        if self.face == "nested" and self.trouble and (
                self.trouble[0] == "argument"):
            self.trouble = ("task", None, "exit")  # the outer has no limits
        self.request = {
            "do": "run", "face": self.face, "n": n, "at": rng.randrange(n),
            "trouble": self.trouble, "seconds": seconds,
            "spin": rng.random() < 0.5, "options": self.options,
            "by_name": rng.random() < 0.5,
        }
        self.delay = rng.random() * (n * seconds / 2 + 1e-3)
        self.timed = ("task_timeout" in self.options
                      and self.face != "nested")  # whose outer loop has none
        self.kills = self.cause in ("kill", "kill all", "zygote")
        self.wild = bool(self.trouble) and self.trouble[2] == "scribble"
        self.hold = rng.choice([0.005, 0.05])
        self.pick = rng.random()

    def be_plain(self):
        """Leaves what C has, too."""
        where, _, act = self.trouble or (None, None, None)
        if where and (where != "task" or act in ("leave", "fork", "scribble")):
            self.trouble = ("task", None, "crash")

    def line(self):
        """The request as loops.c reads it."""
        r, options = self.request, self.options
        return "run %d %d %s %.9f %d %d %d %g" % (
            r["n"], r["at"], self.trouble[2] if self.trouble else "none",
            r["seconds"], r["spin"], options["workers"],
            options.get("retries", 0), options.get("task_timeout", 0))

    def choose_options(self, rng):
        """Of tutti.map and of what stands on it; others take none."""
        options = {"workers": rng.choice([1, 2, 3])}
        if self.face == "auto":
            return {} if rng.random() < 0.7 else {"retries": 2}
        hangs = self.trouble and self.trouble[2] == "hang"
        if self.face == "submit":
            return {}
        if self.face.startswith(("pool", "executor")):
            known = [{}, {"task_timeout": TIMEOUT}]
            if self.face.startswith("pool"):
                known.append({"retries": 1})
            return known[1] if hangs else rng.choice(known)
        if rng.random() < 0.3:
            options["retries"] = rng.choice([1, 2])
        if rng.random() < 0.3 or hangs:
            options["task_timeout"] = TIMEOUT
        if rng.random() < 0.2 and self.face != "c":
            options["errors"] = "return"
        return options

    def allowed(self):
        """Names of the errors that may come."""
        names = trouble.outcome(self.trouble)
        # A task may be lost twice when all are killed, or none be there.
        if self.kills and (self.cause != "kill" or (
                not self.options.get("retries"))):
            names |= {"WorkerLostError"}
        if self.wild:
            names |= {"WorkerLostError"}
        if self.face == "pool_terminate":
            names |= {"WorkerLostError", "ValueError"}
        if self.cause in ("zygote", "kill all") or self.face == "nested" and (
                self.kills or self.wild):
            names |= {"OSError"}  # those that were not up yet
        if self.cause == "stop" and "task_timeout" in self.options:
            names |= {"TaskTimeoutError"}
        if self.cause == "interrupt":
            names |= {"KeyboardInterrupt"}
        if "task_timeout" in self.options:
            names |= {"TaskTimeoutError"}  # on a busy machine
        return names

    def __str__(self):
        return "%s, %s after %.2f ms: %s" % (
            self.face, self.cause, self.delay * 1e3, json.dumps(self.request))


class Failure(Exception):
    """What went against the rules."""


# A victim --------------------------------------------------------------------

class Victim:
    def __init__(self, command):
        self.noise = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self.noise, text=True, bufsize=1, start_new_session=True)
        self.pid = self.process.pid
        self.hello = self.answer(60)
        self.held = []

    def ask(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def ready(self, seconds):
        return bool(select.select([self.process.stdout], [], [],
                                  max(0, seconds))[0])

    def answer(self, seconds):
        if not self.ready(seconds):
            raise Failure("it hangs\n" + self.stacks())
        line = self.process.stdout.readline()
        if not line:
            raise Failure("the victim died: %s" % self.process.wait())
        return json.loads(line)

    def zygotes(self):
        """The first ones, and those of places, which were forked from them."""
        firsts = children(self.pid)
        return firsts + [pid for first in firsts for pid in children(first)]

    def near(self):
        """Who has a channel or a socket of the victim's."""
        return [pid for first in children(self.pid)
                for zygote in children(first)
                for pid in [zygote] + children(zygote)]

    def workers(self):
        return [pid for first in children(self.pid)
                for zygote in children(first) for pid in family(zygote)]

    def stacks(self):
        """Where it stands, for the report of a hang."""
        send(self.pid, signal.SIGUSR1)
        time.sleep(0.5)
        lines = []
        for pid in [self.pid] + family(self.pid):
            for task in os.listdir("/proc/%d/task" % pid):
                base = "/proc/%d/task/%s/" % (pid, task)
                with open(base + "syscall") as f:
                    lines.append("%d/%s %s syscall %s" % (
                        pid, task, state(pid), f.read().strip()))
        return "\n".join(lines)

    def said(self):
        self.noise.seek(0)
        return self.noise.read()

    def end(self, how):
        """Ends it; what is wrong with how it ended, or None."""
        try:
            if how == "kill":
                self.process.kill()
            elif how == "term":
                self.process.terminate()
            self.process.stdin.close()
            status = self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            stacks = self.stacks()
            self.process.kill()
            self.process.wait()
            return "it does not exit\n" + stacks
        finally:
            self.process.stdout.close()
        expected = {"kill": -9, "term": -15}.get(how, 0)
        if status != expected:
            return "it ended with %d, not %d" % (status, expected)
        return None


# One part: victims one after another ------------------------------------------

class Part:
    def __init__(self, options, number):
        self.seed = "%d/%d" % (options.seed, number)
        self.rng = random.Random(self.seed)
        self.wanted = options.faces
        self.victim = None
        self.tally = {"runs": 0, "lives": 0, "causes": {}, "faces": {},
                      "errors": {}, "seconds": {}, "losses": [], "interrupts": [],
                      "failures": [], "attempts": 0, "late": 0}

    def count(self, what, key):
        self.tally[what][key] = self.tally[what].get(key, 0) + 1

    def fail(self, plan, text):
        self.tally["failures"].append(
            "seed %s, run %d (%s): %s" % (self.seed, self.tally["runs"], plan,
                                          text))

    def choose(self):
        """The command of the next victim: a sixth of them are in C."""
        c = LOOPS.exists() and (self.rng.random() < 1 / 6
                                or self.wanted == ["c"])
        if c and "c" in (self.wanted or ["c"]):
            return [str(LOOPS)]
        return [sys.executable, str(HERE / "victim.py")]

    def start(self):
        self.victim = Victim(self.choose())
        self.faces = [f for f in self.victim.hello["faces"]
                      if not self.wanted or f in self.wanted]
        if not self.faces:
            sys.exit("no such face; there are: c, "
                     + ", ".join(self.victim.hello["faces"]))
        self.tally["lives"] += 1
        self.held = []

    def bury(self, plan, how):
        """Ends the victim and looks for what it left."""
        victim, self.victim = self.victim, None
        wrong = victim.end(how)
        if wrong:
            self.fail(plan, wrong)
        left = reap(LIMIT)
        if left:
            self.fail(plan, "processes left: %s" % left)
        said = [line for line in victim.said().splitlines()
                if line and line != "on purpose"]  # sys.exit prints it
        if said and not wrong:
            self.fail(plan, "\n".join(["it printed:"] + said[-20:]))
        self.compare(plan)

    def compare(self, plan):
        """Whether what a victim holds has grown, with no more workers."""
        if len(self.held) < 20:
            return
        last = self.held[-1]
        before = [held for held in self.held[:len(self.held) // 2]
                  if held["workers"] >= last["workers"]
                  and held["pools"] >= last["pools"]]
        for what in last:
            most = max((held.get(what, 0) for held in before),
                       default=last[what])
            if last[what] > most + 8:
                self.fail(plan, "%s: %d at first, %d in the end" % (
                    what, most, last[what]))

    def strike(self, plan):
        """Does what the plan says; the processes that it stopped."""
        victim = self.victim
        self.killed = []
        if plan.cause == "exit":
            send(victim.pid, signal.SIGUSR2)
            return []
        if plan.cause == "interrupt":
            os.killpg(victim.pid, signal.SIGINT)
            return []
        if plan.cause == "zygote":
            found = victim.zygotes()
        elif plan.cause:
            found = victim.workers()
        else:
            return []
        if found and plan.cause != "kill all":
            found = [found[int(plan.pick * len(found))]]
        if plan.cause == "stop":
            return [pid for pid in found if send(pid, signal.SIGSTOP)]
        self.killed = found + [below for pid in found for below in family(pid)]
        for pid in found:
            send(pid, signal.SIGKILL)
        return []

    def run(self, plan):
        victim = self.victim
        victim.ask(plan.line() if plan.face == "c"
                   else json.dumps(plan.request))
        early = plan.cause and victim.ready(plan.delay)
        if plan.cause == "parent":
            return self.bury(plan, "kill")
        self.tally["late"] += bool(early)
        stopped = self.strike(plan)
        if plan.cause == "exit":
            return self.bury(plan, "exit")
        struck = time.monotonic()
        try:
            if stopped and not plan.timed:
                victim.ready(plan.hold)
                self.resume(stopped)
            reply = victim.answer(LIMIT)
        finally:
            self.resume(stopped)
        self.judge(plan, reply, struck, early)
        self.await_deaths()
        self.check(plan)
        if plan.wild:
            self.bury(plan, "eof")  # what it left may still write

    def await_deaths(self):
        """On a busy machine a kill takes its time: it is this run's."""
        end = time.monotonic() + LIMIT
        while time.monotonic() < end and any(
                state(pid) not in (None, "Z", "X") for pid in self.killed):
            time.sleep(0.001)

    def resume(self, stopped):
        for pid in stopped:
            send(pid, signal.SIGCONT)

    def judge(self, plan, reply, struck, early):
        if reply["wrong"]:
            raise Failure(reply["wrong"])
        allowed = plan.allowed()
        for index, name, text in reply["errors"]:
            self.count("errors", name.split()[0])
            if not allowed & set(name.split()):
                raise Failure("task %s: %s: %s" % (index, name, text))
        if trouble.outcome(plan.trouble) and not reply["errors"]:
            raise Failure("no error came of %s" % (plan.trouble,))
        if reply["failed"] and not plan.trouble and not early:
            late = reply["failed"][0] - struck
            # Inside of nested ones it may be cold; others wait by themselves.
            slow = plan.face in ("pool_terminate", "pool_fork")
            if plan.kills and plan.face != "nested" and not slow:
                self.tally["losses"].append((late, str(plan)))
            if plan.cause == "interrupt" and not slow:
                self.tally["interrupts"].append((late, str(plan)))

    def check(self, plan):
        self.victim.ask('{"do": "check"}')
        reply = self.victim.answer(LIMIT)
        if reply["attempts"] > (plan.kills or plan.wild):
            raise Failure("it does not heal: %s" % reply["errors"])
        if "wrong" in (name for name, _ in reply["errors"]):
            raise Failure("wrong afterwards: %s" % reply["errors"])
        if reply["named"]:
            raise Failure("named segments: %s" % reply["named"])
        self.tally["attempts"] += reply["attempts"] > 0
        self.held.append({
            "workers": len(self.victim.near()),
            "pools": reply.get("pools", 0),
            **reply["descriptors"], "segments": reply["segments"],
            "threads": reply["threads"],
            "zygote's descriptors": max(
                map(descriptors, self.victim.zygotes()), default=0)})

    def step(self):
        if not self.victim:
            self.start()
        plan = Plan(self.rng, self.faces)
        self.tally["runs"] += 1
        self.count("causes", str(plan.cause))
        self.count("faces", plan.face)
        if plan.trouble:
            self.count("causes", " ".join(filter(None, plan.trouble)))
        begin = time.monotonic()
        try:
            self.run(plan)
        except Failure as failure:
            self.fail(plan, str(failure))
            self.bury(plan, "kill")
        seconds = self.tally["seconds"]
        seconds[plan.face] = seconds.get(plan.face, 0) + (
            time.monotonic() - begin)
        if self.victim and self.rng.random() < 1 / LIFE:
            self.bury(plan, self.rng.choice(["eof", "eof", "term", "kill"]))


def run_part(options):
    """A part, whose tally is printed as a line."""
    adopt()
    part = Part(options, options.part)
    for _ in range(options.runs):
        part.step()
        if len(part.tally["failures"]) >= 10:
            break
    if part.victim:
        part.bury("the last", "eof")
    print(json.dumps(part.tally))


# The whole -------------------------------------------------------------------

def merge(total, part):
    for key, value in part.items():
        if isinstance(value, dict):
            merge(total.setdefault(key, {}), value)
        else:
            total[key] = total[key] + value if key in total else value


def quantiles(name, seconds):
    if not seconds:
        return "%s: none" % name
    seconds = sorted(seconds)
    part = [1e3 * seconds[min(len(seconds) - 1, int(q * len(seconds)))][0]
            for q in (0.5, 0.99)]
    return "%s: p50 %.1f ms, p99 %.1f ms, of %d; worst %.1f ms: %s" % (
        name, *part, len(seconds), 1e3 * seconds[-1][0], seconds[-1][1])


def listed(counts):
    return ", ".join("%s %d" % item for item in sorted(counts.items()))


def start_parts(options):
    for number in range(options.jobs):
        runs = (options.runs + number) // options.jobs
        yield subprocess.Popen(
            [sys.executable, __file__, "--part", str(number), "--runs",
             str(runs), "--seed", str(options.seed), "--faces",
             ",".join(options.faces)], stdout=subprocess.PIPE, text=True)


def run_all(options):
    print("TUTTI_TEST_SEED=%d, %d jobs" % (options.seed, options.jobs),
          flush=True)
    began = time.monotonic()
    named = set(os.listdir("/dev/shm"))
    total = {}
    for part in list(start_parts(options)):
        out, _ = part.communicate()
        if part.returncode:
            sys.exit("a part ended with %d" % part.returncode)
        merge(total, json.loads(out))
    named = [name for name in set(os.listdir("/dev/shm")) - named
             if "tutti" in name]
    for failure in total["failures"]:
        print(failure)
    print("faces:", ", ".join("%s %d of %.0f ms" % (
        face, n, 1e3 * total["seconds"][face] / n)
        for face, n in sorted(total["faces"].items())))
    print("causes:", listed(total["causes"]))
    print("errors:", listed(total["errors"]))
    print(quantiles("worker loss reported", total["losses"]))
    print(quantiles("interrupted", total["interrupts"]))
    print("%d runs (%d struck when they had ended) in %d victims, %.0f s; %d "
          "healed at the second call; %d failures" % (
              total["runs"], total["late"], total["lives"],
              time.monotonic() - began, total["attempts"],
              len(total["failures"]) + len(named)))
    return 1 if total["failures"] or named else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=int(
        os.environ.get("TUTTI_TEST_SEED") or time.time_ns() % 1000000))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--faces", default="", type=lambda text: [
        face for face in text.split(",") if face])
    parser.add_argument("--part", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part is not None:
        return run_part(options)
    return run_all(options)


if __name__ == "__main__":
    sys.exit(main())
