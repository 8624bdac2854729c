"""Modules that were edited and loaded again while workers stay."""

import pytest

CODE = """
import importlib, os, sys, warnings
import tutti
sys.path.insert(0, os.getcwd())

def write(text):
    with open("mine.py", "w") as f:
        f.write(text)

write("def f(x): return 'old'")
import mine

def again():
    write("def f(x): return 'brand new'")
    importlib.invalidate_caches()
    importlib.reload(mine)

def by_value(x):
    return mine.f(x)

def told(call):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        print(call(), [str(w.message).split(":")[0] for w in caught])
"""

POOL = "module mine was loaded again, and these workers have the one before"


@pytest.mark.parametrize(
    "call",
    [
        "pool.apply(mine.f, (1,))",
        "pool.map(mine.f, [1])[0]",
        "tutti.map(mine.f, [1], on=pool)[0]",
        "list(pool.imap(mine.f, [1]))[0]",
    ],
)
def test_a_pool_says_so_once(script, call):
    out, _ = script(CODE + """
with tutti.Pool(1) as pool:
    told(lambda: {0})
    again()
    told(lambda: {0})
    told(lambda: {0})
    told(lambda: pool.apply(abs, (-1,)))
with tutti.Pool(1) as pool:
    told(lambda: {0})
""".format(call))
    first, second, third, other, renewed = out.splitlines()
    assert first == "old []"
    assert second == "old ['%s']" % POOL
    assert third == "old []"
    assert other == "1 []"
    assert renewed == "brand new []"


@pytest.mark.parametrize("f", ["mine.f", "by_value"])
def test_shared_workers_are_replaced(script, f):
    out, _ = script(CODE + """
told(lambda: tutti.submit({0}, 1).result())
told(lambda: tutti.map({0}, [1], on="processes")[0])
again()
told(lambda: tutti.submit({0}, 1).result())
told(lambda: tutti.submit({0}, 1).result())
told(lambda: tutti.map({0}, [1], on="processes")[0])
""".format(f))
    assert out.splitlines() == ["old []"] * 2 + ["brand new []"] * 3


def test_joblib(script):
    pytest.importorskip("joblib")
    out, _ = script(CODE.replace("return '", "time.sleep(.05); return '").replace(
        "def f(x)", "import time\\ndef f(x)") + """
import tutti.joblib
from joblib import Parallel, delayed

def run():
    return set(Parallel(2, backend="tutti")(
        delayed(mine.f)(x) for x in range(12)))

told(run)
told(run)
again()
told(run)
""")
    assert out.splitlines() == ["{'old'} []"] * 2 + ["{'brand new'} []"]


def test_workers_that_are_replaced_while_another_thread_has_them(script):
    out, _ = script(CODE + """
import time
from tutti import _executor
mine_too = _executor.fresh(None, tutti.Executor, mine.f)
pid = mine_too.submit(os.getpid).result()
again()
print(tutti.submit(mine.f, 1).result())
print(mine_too.submit(abs, -2).result())
del mine_too
end = time.monotonic() + 30
while os.path.exists("/proc/%d" % pid) and time.monotonic() < end:
    time.sleep(0.01)
print(os.path.exists("/proc/%d" % pid))
""")
    assert out == "brand new\n2\nFalse\n"
