"""Prints the sizes of files and functions; fails past the house's limits: a
file of 800 lines, a function of 100, 80 columns of C, a room's README of 12
lines, the fifteen-minute path of 1,200."""
import ast
import pathlib
import re
import statistics
import subprocess
import sys

PATH = ["include/tutti.h", "include/tutti/sys/place.h", "src/place/serial",
        "src/place/threads", "tests/conformance"]


def sources(*patterns):
    listed = subprocess.run(["tools/sources.sh", *patterns], check=True,
                            stdout=subprocess.PIPE, universal_newlines=True)
    return listed.stdout.split()


def c_functions(text):
    """(name, lines): clang-format puts a function's braces in column 0."""
    lines = text.splitlines()
    for end, line in enumerate(lines):
        if line != "}":
            continue
        brace = max((i for i in range(end) if lines[i] == "{"), default=None)
        if brace is None or "}" in lines[brace:end]:
            continue
        start = brace
        while start and re.match(r"[\w ].*[^;]$", lines[start - 1]):
            start -= 1
        named = re.search(r"(\w+)\s*\(", " ".join(lines[start:brace]))
        yield (named[1] if named else "?"), end - start + 1


def python_functions(text):
    """(name, lines); a SyntaxError where Python 3.9 would have one."""
    for node in ast.walk(ast.parse(text, feature_version=(3, 9))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, node.end_lineno - node.lineno + 1


def path_lines():
    files = []
    for entry in map(pathlib.Path, PATH):
        files += [entry] if entry.is_file() else sorted(entry.glob("*.[ch]"))
    return sum(len(file.read_text().splitlines()) for file in files)


def summary(noun, sizes, target, limit):
    values = sorted(size for _, size in sizes)
    high = values[int(0.9 * (len(values) - 1))]
    print(f"{len(values)} {noun}: median {statistics.median(values):g}, "
          f"p90 {high}, max {values[-1]}, "
          f"{sum(v > target for v in values)} over the aim of {target}")
    for name, size in sorted(sizes, key=lambda entry: -entry[1])[:5]:
        if size > target:
            print(f"  {name}: {size} lines")
    return [f"{name}: {size} lines, the limit is {limit}"
            for name, size in sizes if size > limit]


def main():
    files, functions, faults = [], [], []
    for name in sources("*.c", "*.h", "*.py", "*.sh"):
        text = pathlib.Path(name).read_text()
        files.append((name, len(text.splitlines())))
        find = {"c": c_functions, "py": python_functions}.get(
            name.rsplit(".", 1)[1])
        functions += [(f"{name}: {function}", size)
                      for function, size in (find(text) if find else ())]
        wide = [i + 1 for i, line in enumerate(text.splitlines())
                if len(line) > 80 and re.search(r"\.[ch]$", name)]
        faults += [f"{name}:{line}: over 80 columns" for line in wide]
    faults += summary("files", files, 300, 800)
    faults += summary("functions", functions, 20, 100)
    for room in sorted(pathlib.Path("src").glob("*/")):
        readme = room / "README.md"
        lines = len(readme.read_text().splitlines()) if readme.exists() else 0
        if room.is_dir() and not 0 < lines <= 12:
            faults.append(f"{readme}: {lines} lines, 1 to 12 are wanted")
    print(f"fifteen-minute path: {path_lines()} lines")
    if path_lines() > 1200:
        faults.append("the fifteen-minute path is over 1,200 lines")
    print(*faults, sep="\n", end="\n" if faults else "")
    return len(faults) > 0


sys.exit(main())
