#!/usr/bin/env python3
"""compat – holds docs/compatibility.md against the tests and the table of routes.

A table whose last column is "Proved by" is a promise: each row names at least one test, as
`api/campaigns` "create > with an id", and that test is there, once.  Names are those of the tests; before
" > " may stand the group, and "…" stands for what a loop fills in.  Each operation that is served has a row in
the table whose first column is "Operation".
"""
import collections
import glob
import os
import re
import sys

PAGE = "docs/compatibility.md"
# Where a name leads, by its first part.
KINDS = {"api": (".test.mjs",), "python": (".py",), "unit": (".c",), "crash": (".py",), "pg": (".py",),
         "cli": (".sh",)}
ROUTE = re.compile(r'\{"(?:GET|POST|PUT|PATCH|DELETE)",\s*"(/[^"]*)",\s*"(\w+)"')
JS = re.compile(r"^(\t*)(describe|test|it)\((?:(['\"`])(.*?)(?<!\\)\3|(\w+))")


def javascript(text):
    """The names of all tests, their groups in front."""
    groups = []
    for line in text.splitlines():
        depth = len(line) - len(line.lstrip("\t"))
        if line.lstrip("\t").startswith("});"):
            groups = [(d, name) for d, name in groups if d < depth]
        found = JS.match(line)
        if not found:
            continue
        name = re.sub(r"\$\{[^}]*\}", "…", found[4]).replace("\\'", "'") if found[3] else "…"
        if found[2] == "describe":
            groups.append((depth, name))
        else:
            yield " > ".join([group for _, group in groups] + [name])


def python(text):
    group = ""
    for line in text.splitlines():
        if found := re.match(r"class (\w+)", line):
            group = found[1]
        if found := re.match(r"( *)def (test_\w+)", line):
            yield f"{group} > {found[2]}" if found[1] else found[2]


def c(text):
    """Functions that take what cmocka hands to a test; an unused one would not compile."""
    for found in re.finditer(r"^(\w+)\(void \*\*\w+(?: UNUSED)?\)", text, re.M):
        if found[1] not in ("setup", "teardown"):
            yield found[1]


def shell(text):
    for found in re.finditer(r"^(\w+)\(\)", text, re.M):
        yield found[1]


READERS = {".test.mjs": javascript, ".py": python, ".c": c, ".sh": shell}


def tests_of(name, seen={}):
    """The names of the tests in the file that ${name} means; None when there is no such file."""
    if name not in seen:
        seen[name] = None
        for end in KINDS.get(name.split("/")[0], ()):
            path = f"tests/{name}{end}"
            if os.path.exists(path):
                with open(path, encoding="utf-8") as file:
                    seen[name] = list(READERS[end](file.read()))
    return seen[name]


def tables(text):
    """(heads, [(line number, cells)]) of each table."""
    heads, rows = None, []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.startswith("|"):
            if heads:
                yield heads, rows
            heads, rows = None, []
            continue
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
        if heads is None:
            heads = cells
        elif set("".join(cells)) - set("-: "):
            rows.append((number, cells))
    if heads:
        yield heads, rows


def wrong_with(proof):
    """What a cell of tests promises and does not hold."""
    pieces = re.findall(r"`([^`]+)`((?:,? ?\"[^\"]+\")+)", proof)
    if not pieces or re.sub(r"`[^`]+`(?:,? ?\"[^\"]+\")+", "", proof).strip(" ;"):
        yield f"cannot be read: {proof or 'no test'}"
    for name, quoted in pieces:
        there = tests_of(name)
        if there is None:
            yield f"{name} is no file of tests"
            continue
        for wanted in re.findall(r'"([^"]+)"', quoted):
            found = [test for test in there if test == wanted or test.endswith(" > " + wanted)]
            if len(found) != 1:
                yield f'{name} has {len(found)} tests "{wanted}"'


def operations():
    names = set()
    for path in sorted(glob.glob("src/api/*.c")):
        with open(path, encoding="utf-8") as file:
            names |= {name for _, name in ROUTE.findall(file.read())}
    return names


def main():
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    with open(PAGE, encoding="utf-8") as file:
        text = file.read()
    wrong, told, count = [], set(), 0
    for heads, rows in tables(text):
        if heads[-1] != "Proved by":
            continue
        names = collections.Counter(cells[0] for _, cells in rows)
        for number, cells in rows:
            count += 1
            where = f"{PAGE}:{number}: "
            if len(cells) != len(heads):
                wrong.append(f"{where}{len(cells)} cells, not {len(heads)}")
                continue
            if names[cells[0]] > 1:
                wrong.append(f"{where}{cells[0]} stands there twice")
            wrong += [where + why for why in wrong_with(cells[-1])]
            if heads[0] == "Operation":
                told |= set(re.findall(r"`(\w+)`", cells[0]))
    served = operations()
    wrong += [f"{PAGE}: no row for {name}" for name in sorted(served - told)]
    wrong += [f"{PAGE}: {name} is not served" for name in sorted(told - served)]
    print("\n".join(wrong) or f"{count} rows, {len(served)} operations")
    return 1 if wrong or not count or not served else 0


if __name__ == "__main__":
    sys.exit(main())
