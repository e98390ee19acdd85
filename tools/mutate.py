"""Mutation testing: change lines of the core rooms, and see whether a test notices.

    python tools/mutate.py --out mutants.json              # 120 changes, an hour
    python tools/mutate.py --out mutants.json --markdown   # what is in the file
    python tools/mutate.py --only mdmt_tf.metrics.formulas:120

Each change is tried in a process that is forked after the libraries are loaded and gets
the changed module in place of the file, so the checkout stays as it is. The tests of
the module and its examples run first, then those of its room that name the module. A
change is caught if one fails, or if they take much longer. A second start with the same
--out continues.
"""

import argparse
import ast
import contextlib
import copy
import functools
import importlib
import importlib.abc
import importlib.util
import json
import math
import os
import random
import re
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Room -> modules, and how many lines of them are changed.
ROOMS = {
    "metrics": ("mdmt_tf/metrics/*.py", 25),
    "splits": ("mdmt_tf/splits/*.py", 20),
    "statistics": ("mdmt_tf/statistics/*.py", 30),
    "tasks": ("mdmt_tf/tasks/*.py", 20),
    "data": ("mdmt_tf/data/s*.py", 15),
    "training": ("mdmt_tf/training/losses.py", 10),
}
# Tests that use so much more of the processor than without a change have noticed it.
_TIMES_LONGER, _LONGER_SECONDS = 5, 30
_HANGS_SECONDS = 1200
# Tests that fail on a busy machine.
_NOT_TIMED = "not take_less_than_half_a_second"
_LIBRARIES = "pytest numpy pandas scipy.stats sklearn.metrics statsmodels.api"
_LIBRARIES += " sklearn.model_selection sklearn.linear_model sklearn.isotonic"
_LIBRARIES += " yaml pydantic"
# Loaded when the first of these rooms comes, so that other tests start sooner.
_WITH_FRAMEWORK = ("tasks", "data", "training")
_FRAMEWORK = "tensorflow keras tensorflow_datasets cv2"

_COMPARED = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_COMPUTED = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Pow: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
_CALLED = {"min": "max", "any": "all", "minimum": "maximum", "mean": "sum"}
_CALLED |= {"floor": "ceil", "isnan": "isfinite", "argmin": "argmax", "zeros": "ones"}
_CALLED |= {other: name for name, other in _CALLED.items()}


def variants(node: ast.AST) -> Iterator[ast.AST]:
    """Small changes of one node; none for most nodes."""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _COMPARED:
        yield _with(node, ops=[_COMPARED[type(node.ops[0])](), *node.ops[1:]])
    elif isinstance(node, ast.BinOp) and type(node.op) in _COMPUTED:
        yield _with(node, op=_COMPUTED[type(node.op)]())
    elif isinstance(node, ast.BoolOp):
        yield _with(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.Invert)):
        yield node.operand
    elif isinstance(node, (ast.If, ast.IfExp)):
        yield _with(node, test=ast.UnaryOp(ast.Not(), node.test))
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield _with(node, value=not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        yield _with(node, value=node.value + 1)
    elif isinstance(node, ast.Name) and node.id in _CALLED:
        yield _with(node, id=_CALLED[node.id])
    elif isinstance(node, ast.Attribute) and node.attr in _CALLED:
        yield _with(node, attr=_CALLED[node.attr])


def _with(node: ast.AST, **changes) -> ast.AST:
    made = copy.deepcopy(node)
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def _code(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes that compute: no annotations, no texts of errors, no decorators."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        for name, value in ast.iter_fields(node):
            is_message = isinstance(node, (ast.Raise, ast.JoinedStr))
            if name in ("annotation", "returns", "decorator_list") or is_message:
                continue
            children = value if isinstance(value, list) else [value]
            waiting += [child for child in children if isinstance(child, ast.AST)]


def changes_of(source: str) -> dict[int, list[tuple[ast.AST, ast.AST]]]:
    """Line -> the changes of it, each a node and what is put in its place.

    Example:
        >>> changes = changes_of("def f(x: int = 1):\\n    return x < 2\\n")
        >>> [ast.unparse(new) for _, new in changes[2]]
        ['x <= 2', '3']
    """
    found: dict[int, list] = {}
    for node in _code(ast.parse(source)):
        for new in variants(node):
            found.setdefault(node.lineno, []).append((node, new))
    return dict(sorted(found.items()))


def changed(source: str, line: int, number: int) -> tuple[ast.Module, str]:
    """The module with one change, and the change as text."""
    tree = ast.parse(source)
    own = [node for node in _code(tree) if getattr(node, "lineno", None) == line]
    pairs = [(node, new) for node in own for new in variants(node)]
    old, new = pairs[number]
    text = f"{ast.unparse(old)}  ->  {ast.unparse(new)}"
    if isinstance(old, ast.If):
        text = f"if {ast.unparse(old.test)}  ->  if {ast.unparse(new.test)}"

    class Replace(ast.NodeTransformer):
        def visit(self, node):
            if node is old:
                return ast.copy_location(new, old)
            return self.generic_visit(node)

    made = Replace().visit(tree)
    return ast.fix_missing_locations(made), text


def choose(seed: int) -> list[tuple[str, str, int, int]]:
    """(room, module, line, number of the change), drawn by room."""
    draw, chosen = random.Random(seed), []
    for room, (pattern, count) in ROOMS.items():
        lines = []
        for path in sorted(ROOT.glob(pattern)):
            if path.name != "__init__.py":
                module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
                changes = changes_of(path.read_text(encoding="utf-8"))
                lines += [(module, line, len(own)) for line, own in changes.items()]
        for module, line, n in sorted(draw.sample(lines, min(count, len(lines)))):
            chosen.append((room, module, line, draw.randrange(n)))
    return chosen


def tests_of(module: str, room: str) -> tuple[list[str], list[str]]:
    """The tests of a module with its examples; others of its room that name it."""
    of_room = sorted((ROOT / "tests" / room).glob("test_*.py"))
    name = module.rpartition(".")[2]
    own = {path for path in of_room if path.stem.startswith(f"test_{name}")}
    own |= {ROOT / "tests" / t for t, used in _through().items() if module in used}
    others = [
        path
        for path in of_room
        if path not in own and re.search(rf"\b{name}\b", path.read_text("utf-8"))
    ]
    source = (ROOT / Path(*module.split("."))).with_suffix(".py").read_text("utf-8")
    first = [str(path) for path in sorted(own)]
    if ">>>" in source:
        examples = ROOT / "tests" / "test_examples.py"
        first.append(f"{examples}::test_examples_are_right[{module}]")
    return first, [str(path) for path in others]


@functools.cache
def _through() -> dict[str, list[str]]:
    """Test file -> modules that are tested through it, of tests/test_mirror.py."""
    tree = ast.parse((ROOT / "tests/test_mirror.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "THROUGH":
            return ast.literal_eval(node.value)
    raise LookupError("tests/test_mirror.py has no THROUGH")


class _Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives one module in its changed form."""

    def __init__(self, module: str, tree: ast.Module, path: str):
        self.module, self.tree, self.path = module, tree, path

    def find_spec(self, fullname, path=None, target=None):
        if fullname != self.module:
            return None
        return importlib.util.spec_from_file_location(fullname, self.path, loader=self)

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        exec(compile(self.tree, self.path, "exec"), module.__dict__)


def _fork(module, tree, tests: list[str], seconds: float) -> tuple[str, float]:
    """Run some tests in a process of its own.

    Returns: "passed", "failed" or "too long", and the seconds of the processor.
    """
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            os._exit(_run_tests(module, tree, tests, int(seconds)))
        os._exit(1)
    end = time.monotonic() + _HANGS_SECONDS
    while time.monotonic() < end:
        done, status, used = os.wait4(child, os.WNOHANG)
        if done:
            stopped = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU
            answer = "too long" if stopped else "failed" if status else "passed"
            return answer, used.ru_utime + used.ru_stime
        time.sleep(0.05)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "too long", math.inf


@functools.cache
def _unchanged(tests: tuple[str, ...]) -> tuple[str, float]:
    return _fork("", None, list(tests), _HANGS_SECONDS)


def try_change(module: str, tree: ast.Module, tests: list[str]) -> str:
    """Whether some tests notice a change: caught, missed or too long.

    Raises: RuntimeError if the tests fail without a change, too.
    """
    if not tests:
        return "missed"
    answer, seconds = _unchanged(tuple(tests))
    if answer != "passed":
        raise RuntimeError(f"without a change: {answer}: {' '.join(tests)}")
    limit = _TIMES_LONGER * seconds + _LONGER_SECONDS
    answer, _ = _fork(module, tree, tests, limit)
    return {"passed": "missed", "failed": "caught"}.get(answer, answer)


def _run_tests(module: str, tree, tests: list[str], seconds: int) -> int:
    os.setpgid(0, 0)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    if tree is not None:
        path = str(ROOT / Path(*module.split("."))) + ".py"
        sys.meta_path.insert(0, _Changed(module, tree, path))
    import pytest

    options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    options += ["-k", _NOT_TIMED]
    return int(pytest.main([*options, f"--rootdir={ROOT}", *tests]))


def _load(names: str) -> None:
    # Threads of libraries do not survive a fork.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    for name in names.split():
        importlib.import_module(name)


def run(chosen, results: dict, write) -> None:
    """Try all changes that have no result yet; `write` is called after each."""
    _load(_LIBRARIES)
    for room, module, line, number in chosen:
        key = f"{module}:{line}:{number}"
        if key in results:
            continue
        if room in _WITH_FRAMEWORK:
            _load(_FRAMEWORK)
        path = ROOT / Path(*module.split("."))
        source = path.with_suffix(".py").read_text(encoding="utf-8")
        tree, text = changed(source, line, number)
        own, others = tests_of(module, room)
        start, by = time.monotonic(), "module"
        try:
            answer = try_change(module, tree, own)
            if answer == "missed":
                by, answer = "room", try_change(module, tree, others)
        except RuntimeError as error:
            print(f"not tried {key}: {error}", flush=True)
            continue
        results[key] = {
            "room": room,
            "change": text,
            "answer": answer,
            "by": by if answer != "missed" else "",
            "seconds": round(time.monotonic() - start, 1),
        }
        write(results)
        print(f"{answer:8} {key}  {text}", flush=True)


def markdown(results: dict) -> str:
    """A table by room, and the missed changes."""
    rows = ["| room | lines changed | caught | of these too long | missed |"]
    rows.append("|---|---|---|---|---|")
    names = [*ROOMS, "all"]
    for room in names:
        own = [r for r in results.values() if room in (r["room"], "all")]
        count = Counter(r["answer"] for r in own)
        caught = count["caught"] + count["too long"]
        rows.append(
            f"| {room} | {len(own)} | {caught} | {count['too long']} | "
            f"{count['missed']} |"
        )
    rows += ["", "Missed:", ""]
    for key, result in results.items():
        if result["answer"] == "missed":
            module, line, _ = key.split(":")
            rows.append(f"- `{module}`, line {line}: `{result['change']}`")
    return "\n".join(rows)


def main(argv: list[str] | None = None) -> int:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--out", type=Path, default=Path("mutants.json"))
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--markdown", action="store_true")
    text = "try only changes of this line, again"
    arguments.add_argument("--only", metavar="MODULE:LINE", help=text)
    text = "rooms whose changes are tried; all of them are drawn"
    arguments.add_argument("--rooms", nargs="+", default=[*ROOMS], help=text)
    options = arguments.parse_args(argv)
    results = {}
    if options.out.is_file():
        results = json.loads(options.out.read_text(encoding="utf-8"))
    if options.markdown:
        print(markdown(results))
        return 0
    chosen = [c for c in choose(options.seed) if c[0] in options.rooms]
    if options.only:
        chosen = [c for c in chosen if f"{c[1]}:{c[2]}" == options.only]
        results = {}
    os.chdir(ROOT)
    run(
        chosen,
        results,
        lambda made: options.out.write_text(json.dumps(made, indent=1) + "\n"),
    )
    return int(any(r["answer"] == "missed" for r in results.values()))


if __name__ == "__main__":
    sys.exit(main())
