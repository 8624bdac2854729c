"""Counts the results that tools/test.sh left in a folder.

Prints what failed, then 'N passed, N failed'; status 1 if a test failed or
none ran."""
import json
import pathlib
import re
import sys
import xml.etree.ElementTree as ElementTree


def c_results(path):
    """(passed, skipped, failures) of meson's log: cmocka's cases, or one for
    a program that prints none."""
    passed, skipped, failures = 0, 0, []
    for line in path.read_text().splitlines():
        test = json.loads(line)
        said = test.get("stdout", "") + "\n" + test.get("stderr", "")
        listed = set(re.findall(r"^\[  FAILED  \] (\w+)$", said, re.MULTILINE))
        ran = len(re.findall(r"^\[       OK \] \w+$", said, re.MULTILINE))
        left = set(re.findall(r"^\[  SKIPPED \] (\w+)$", said, re.MULTILINE))
        name, result, status = test["name"], test["result"], test["returncode"]
        passed += ran or (result == "OK" and not left)
        skipped += len(left) or result == "SKIP"
        failures += [f"{name}: {case}" for case in sorted(listed)]
        died = result == "TIMEOUT" or status < 0
        if died or (result not in ("OK", "SKIP") and not listed):
            failures.append(f"{name}: {result}, status {status}")
    return passed, skipped, failures


def pytest_results(path):
    """The same of the file of tests whose exit status is in `path`."""
    report, status = path.with_suffix(".xml"), int(path.read_text())
    passed, skipped, failures = 0, 0, []
    if report.exists():
        for case in ElementTree.parse(report).iter("testcase"):
            name = f"{case.get('classname')}: {case.get('name')}"
            if case.find("failure") is not None or case.find("error") is not None:
                failures.append(name)
            elif case.find("skipped") is not None:
                skipped += 1
            else:
                passed += 1
    if status not in (0, 5) and not failures:
        failures.append(f"{path.stem}: ended with status {status}")
    return passed, skipped, failures


def main(folder):
    folder = pathlib.Path(folder)
    results = [c_results(path) for path in sorted(folder.glob("*.json"))]
    results += [pytest_results(path) for path in sorted(folder.glob("*.status"))]
    passed = sum(result[0] for result in results)
    skipped = sum(result[1] for result in results)
    failures = [name for result in results for name in result[2]]
    for name in failures:
        print("FAILED", name)
    if skipped:
        print(skipped, "skipped")
    print(f"{passed} passed, {len(failures)} failed")
    return 1 if failures or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
