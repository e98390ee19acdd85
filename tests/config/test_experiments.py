"""The experiments of a benchmark: what is compared, and variants by name."""

from mdmt_tf import config

TEXT = """\
base: phantom
benchmark:
  backbones: [resnet18]
  cross_validation: {cv: {folds: 3}}
  experiments:
    a: {tasks: [prognosis]}
    b: {tasks: [severity], start: {a: 1}}
"""


def load(tmp_path, *overrides):
    (tmp_path / "my.yaml").write_text(TEXT, encoding="utf-8")
    return config.load(str(tmp_path / "my.yaml"), overrides)


def test_what_is_compared(tmp_path):
    more = "benchmark.experiments.c={tasks: [prognosis], match: a, null: prognosis}"
    baseline = "benchmark.baselines={x: {task: prognosis, fields: {aiforcovid: [age]}}}"
    candidate = load(tmp_path, more, baseline, "benchmark.candidate=c").experiments
    # Reports leave out b, with which it shares no task and no derived answer.
    assert candidate.compared == (("c", "a"), ("c", "b"), ("c", "x"))
    assert load(tmp_path, more).experiments.compared == ()
    pairs = "benchmark.comparisons=[[a@prognosis=0.5, a], [c@prognosis=0.5, x]]"
    fractions = "benchmark.fractions={prognosis: [0.5]}"
    found = load(tmp_path, more, baseline, fractions, pairs).experiments
    assert found.compared == (("a@prognosis=0.5", "a"), ("c@prognosis=0.5", "x"))
    assert found.tasks_of("c@prognosis=0.5") == found.tasks_of("x") == ("prognosis",)
    assert found.variant("a", {"prognosis": 0.5}) == "a@prognosis=0.5"
    assert found.variant("x", {"prognosis": 0.5}) == "x"
    assert found.variant("a", {"prognosis": 0.4}) is None
