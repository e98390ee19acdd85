"""What the probe of the features says, by experiment and backbone."""

from mdmt_tf.experiments.results import Results
from mdmt_tf.reporting.probe_table import probe_table


def probe(value, low, high, reason=""):
    facts = {"balanced_accuracy": value, "low": low, "high": high, "reason": reason}
    return {**facts, "chance": 0.5, "n": 40, "datasets": ["a", "b"]}


def test_means_and_the_most_extreme_ends(benchmark_folder, tmp_path):
    folder = benchmark_folder(tmp_path / "b", backbones=["resnet18"])
    for fold, own in enumerate([(0.9, 0.8, 0.95), (0.7, 0.5, 0.85)]):
        folder.add("cv", "resnet18", 0, fold, "mdmt", probe=probe(*own))
    nothing = probe(None, None, None, "too few patients")
    folder.add("cv", "resnet18", 0, 0, "ft", probe=nothing)
    table = probe_table(Results.read(folder.path))
    texts = {row[1].text: [e.text for e in row[3:]] for row in table.sections[0].rows}
    assert texts == {
        "mdmt": ["2", "80", "80.0", "50.0", "95.0", "50.0"],
        "ft": ["0", "0", "too few patients", "–", "–", "–"],
    }


def test_without_probes_there_is_no_table(whole):
    assert probe_table(Results.read(whole)) is None
