"""Fails on an include that points upward (tools/levels.txt), from a place into
another place, from cli/ or python/ past the public headers, or on a vendor's
header outside its folder."""
import pathlib
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
VENDORS = {"mpi.h": "src/place/mpi", "CL/": "src/place/opencl",
           "cuda": "src/place/cuda", "openssl/": "src/place/tls",
           "Python.h": "python", "omp.h": "src/place/openmp"}


def levels():
    table = {}
    for line in pathlib.Path("tools/levels.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            room, level, *siblings = line.split()
            table[room] = (int(level), siblings)
    return table


def fault(path, bracket, header, table):
    """Why `path` may not include `header`, or None."""
    for vendor, home in VENDORS.items():
        if header.startswith(vendor) and not str(path).startswith(home):
            return f"belongs to {home}/"
    if bracket == "<" or (path.parent / header).is_file():
        return None if ".." not in header else "leaves its folder"
    if path.parts[0] != "src":
        return "only public headers here"
    if not (pathlib.Path("src") / header).is_file():
        return "is in no room"
    room, other = path.parts[1], header.split("/")[0]
    if other not in table:
        return f"room {other} is not in tools/levels.txt"
    if room == other:
        apart = room == "place" and path.parts[2] != header.split("/")[1]
        private = pathlib.PurePath(header).parent != pathlib.PurePath(room)
        return "a place is private" if apart and private else None
    level, siblings = table[room]
    if table[other][0] < level or other in siblings:
        return None
    return f"{room} is level {level}, {other} level {table[other][0]}"


def main():
    table, seen, bad = levels(), 0, 0
    for top in ("include", "src", "cli", "python"):
        for path in sorted(pathlib.Path(top).rglob("*.[ch]")):
            if top == "src" and path.parts[1] not in table:
                print(f"{path}: room not in tools/levels.txt")
                bad += 1
                continue
            for bracket, header in INCLUDE.findall(path.read_text()):
                seen += 1
                reason = fault(path, bracket, header, table)
                if reason:
                    bad += 1
                    print(f"{path}: includes {header}: {reason}")
    print(f"{seen} includes, {bad} that may not be")
    return bad > 0 or not seen


sys.exit(main())
