"""Changes of lines, and what is said of those that no test notices."""

import ast

import mutate
import pytest

SOURCE = '''\
"""A text with 1 < 2."""

LIMIT: int = 3


def f(x: "1 + 1", y=True):
    if x is None or not y:
        raise ValueError(f"{x + 1} of {len([1])}")
    return min(x, 2) / np.mean(x)
'''


def shown(line):
    pairs = mutate.changes_of(SOURCE).get(line, ())
    return {f"{ast.unparse(old)} -> {ast.unparse(new)}" for old, new in pairs}


def test_every_computation_of_a_line_has_changes():
    assert shown(9) == {
        "min(x, 2) / np.mean(x) -> min(x, 2) * np.mean(x)",
        "min -> max",
        "2 -> 3",
        "np.mean -> np.sum",
    }
    assert {"x is None -> x is not None", "not y -> y"} <= shown(7)
    assert shown(6) == {"True -> False"}
    assert shown(3) == {"3 -> 4"}


def test_texts_annotations_and_errors_have_none():
    assert not shown(1) and not shown(8)


@pytest.mark.parametrize("line", [3, 6, 7, 9])
def test_a_changed_module_differs_in_one_place(line):
    for number in range(len(mutate.changes_of(SOURCE)[line])):
        tree, text = mutate.changed(SOURCE, line, number)
        old, new = SOURCE.splitlines(), ast.unparse(tree).splitlines()
        same = ast.unparse(ast.parse(SOURCE)).splitlines()
        assert len(new) == len(same) <= len(old)
        assert sum(a != b for a, b in zip(new, same, strict=True)) == 1
        assert "  ->  " in text
        compile(tree, "changed", "exec")


def test_the_draw_covers_all_rooms_and_repeats_itself():
    chosen = mutate.choose(1)
    assert chosen == mutate.choose(1) != mutate.choose(2)
    assert len(chosen) >= 100
    assert {room for room, *_ in chosen} == set(mutate.ROOMS)
    assert len({(module, line) for _, module, line, _ in chosen}) == len(chosen)
    for room, module, *_ in chosen:
        own, others = mutate.tests_of(module, room)
        assert own or others, module


def test_the_table_counts_and_names_what_is_missed():
    result = {"room": "splits", "change": "1  ->  2", "answer": "missed", "by": ""}
    results = {
        "mdmt_tf.splits.split:7:0": result,
        "mdmt_tf.splits.split:9:0": result | {"answer": "caught"},
        "mdmt_tf.tasks.base:3:1": result | {"answer": "too long", "room": "tasks"},
    }
    text = mutate.markdown(results)
    assert "| splits | 2 | 1 | 0 | 1 |" in text
    assert "| tasks | 1 | 1 | 1 | 0 |" in text
    assert "| all | 3 | 2 | 1 | 1 |" in text
    assert text.endswith("- `mdmt_tf.splits.split`, line 7: `1  ->  2`")
