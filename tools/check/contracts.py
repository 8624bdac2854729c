"""Fails on a public function whose comment lacks a part of its contract.

A function in include/ carries a /** comment with: a sentence on what it does,
every parameter by its name, 'Errors:' if it returns a status, 'Returns:' if it
returns another value (or begins with 'Whether' or 'The'), 'Ownership:' if it
hands out a pointer, 'Threads:' and 'Cost:'. '... as tutti_x()' takes what is
not said from there."""
import pathlib
import re
import sys

DECLARATION = re.compile(
    r"@(\d*)@\s*([\w\s*]*?)\b(tutti_\w+)\s*\(([^*;][^;]*)\)[^;()]*;")


def declarations(text):
    """(comment, result type, name, parameters) of each function."""
    comments = []

    def keep(match):
        if not match[0].startswith("/**") or match[0].startswith("/**<"):
            return " "
        comments.append(" ".join(re.sub(r"^ ?\*+/?", "", line).strip()
                                 for line in match[0][2:-2].splitlines()))
        return f"@{len(comments) - 1}@"

    text = re.sub(r"/\*.*?\*/", keep, text, flags=re.DOTALL)
    text = re.sub(r"__attribute__\s*\(\(.*?\)\)\)?|TUTTI_MUST_CHECK", "", text)
    text = re.sub(r'^\s*#.*(?:\\\n.*)*$|extern "C" \{', "", text, flags=re.M)
    while re.search(r"\{[^{}]*\}", text):
        text = re.sub(r"\{[^{}]*\}", "", text)
    text = re.sub(r"\(\*(\w+)\)\s*\([^()]*\)", r"\1", text)
    for part in text.split(";"):
        match = DECLARATION.search(
            (part if "@" in part else "@@ " + part).strip() + ";")
        if match and "typedef" not in part:
            index = match[1]
            yield (comments[int(index)] if index else "", match[2].strip(),
                   match[3], match[4])


def parameters(text):
    return [re.search(r"(\w+)(\[\])?$", part.strip())[1]
            for part in text.split(",") if part.strip() not in ("void", "...")]


def told(comment, others):
    """The comment with those it refers to: by 'otherwise as tutti_x()' for
    every part, by 'as tutti_x()' and 'tutti_x()'s' for the part it stands in."""
    parts = re.findall(r"\b[Aa]s (tutti_\w+)\(\)|(tutti_\w+)\(\)'s", comment)
    heirs = re.findall(r"(?:^As|otherwise as) (tutti_\w+)\(\)", comment)
    near = [comment] + [others.get(name or also, "") for name, also in parts]
    whole = [comment] + [others.get(name, "") for name in heirs]
    return " ".join(near), " ".join(whole)


def missing(function, comment, kind, given, others):
    """The parts that a contract lacks; the object that a function is named
    after needs no word."""
    near, whole = told(comment, others)
    if len(comment.split(".")[0].split()) < 3:
        yield "what it does"
    for name in parameters(given):
        named = re.search(rf"\b{name}\b", near, re.IGNORECASE)
        if not named and not function.startswith(f"tutti_{name}_"):
            yield f"parameter {name}"
    wanted = {
        "Errors:": kind == "tutti_status" and "Returns:" not in whole,
        "Returns:": kind not in ("tutti_status", "void")
        and not re.match(r"Whether|The ", comment),
        "Ownership:": "**" in given.replace(" ", "") or kind.endswith("*")
        and "const" not in kind,
        "Threads:": True,
        "Cost:": True,
    }
    yield from (part for part in wanted if wanted[part] and part not in whole)


def main():
    found = {}
    for path in sorted(pathlib.Path("include").rglob("*.h")):
        for comment, kind, name, given in declarations(path.read_text()):
            found[name] = (path, comment, kind, given)
    others = {name: entry[1] for name, entry in found.items()}
    bad = 0
    for name, (path, comment, kind, given) in found.items():
        lacks = list(missing(name, comment, kind, given, others))
        if lacks:
            bad += 1
            print(f"{path}: {name}() lacks: {', '.join(lacks)}")
    print(f"{len(found)} public functions, {bad} without a full contract")
    return bad > 0 or not found


if __name__ == "__main__":
    if sys.argv[1:] == ["--names"]:
        for header in sorted(pathlib.Path("include").rglob("*.h")):
            for entry in declarations(header.read_text()):
                print(entry[2])
    else:
        sys.exit(main())
