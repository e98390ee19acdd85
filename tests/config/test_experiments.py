"""The experiments of a benchmark: what is compared, and variants by name."""

from mdmt_tf.config.experiments import Experiments


def test_what_is_compared(load_grid):
    more = "benchmark.experiments.c={tasks: [prognosis], match: a, null: prognosis}"
    baseline = "benchmark.baselines={x: {task: prognosis, fields: {aiforcovid: [age]}}}"
    candidate = load_grid(more, baseline, "benchmark.candidate=c").experiments
    assert isinstance(candidate, Experiments)
    # Reports leave out b, with which it shares no task and no derived answer.
    assert candidate.compared == (("c", "a"), ("c", "b"), ("c", "x"))
    assert load_grid(more).experiments.compared == ()
    pairs = "benchmark.comparisons=[[a@prognosis=0.5, a], [c@prognosis=0.5, x]]"
    fractions = "benchmark.fractions={prognosis: [0.5]}"
    found = load_grid(more, baseline, fractions, pairs).experiments
    assert found.compared == (("a@prognosis=0.5", "a"), ("c@prognosis=0.5", "x"))
    assert found.tasks_of("c@prognosis=0.5") == found.tasks_of("x") == ("prognosis",)
    assert found.variant("a", {"prognosis": 0.5}) == "a@prognosis=0.5"
    assert found.variant("x", {"prognosis": 0.5}) == "x"
    assert found.variant("a", {"prognosis": 0.4}) is None
