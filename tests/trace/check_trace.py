"""Checks a Chrome trace: valid JSON, rows named, nothing overlaps."""

import json
import sys

path, loops, user_us = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
with open(path, encoding="ascii") as file:
    trace = json.load(file)
events = trace["traceEvents"]
named = {e["tid"] for e in events if e["name"] == "thread_name"}
rows, total = {}, 0.0
for e in events:
    assert e["ph"] in "MX" and e["pid"] == events[0]["pid"], e
    if e["ph"] == "M":
        continue
    assert e["tid"] in named, e
    assert e["dur"] >= 0, e
    if e["cat"] == "loop":
        assert e["args"]["on"].startswith("threads"), e
    else:
        rows.setdefault(e["tid"], []).append(e)
    if e["cat"] == "user":
        assert e["name"].startswith("task"), e
        total += e["dur"]
for row in rows.values():
    row.sort(key=lambda e: e["ts"])
    for a, b in zip(row, row[1:]):
        assert a["ts"] + a["dur"] <= b["ts"] + 2e-3, (a, b)
# A row's own loop holds all of its caller's events.
found = [e for e in events if e.get("cat") == "loop"]
for e in (e for row in rows.values() for e in row):
    inside = [
        x
        for x in found
        if x["ts"] - 2e-3 <= e["ts"]
        and e["ts"] + e["dur"] <= x["ts"] + x["dur"] + 2e-3
    ]
    assert inside, e
assert len(found) == loops == trace["otherData"]["loops"], len(found)
assert abs(total - user_us) <= 1e-3 * (1 + len(events)), total
