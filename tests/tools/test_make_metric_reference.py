"""The stored values come from the versions that their requirements name."""

import json


def test_the_file_was_made_with_the_required_versions(reference):
    stored = json.loads((reference / "imblearn.json").read_text(encoding="utf-8"))
    file = reference / "requirements-metrics.txt"
    lines = file.read_text(encoding="utf-8").splitlines()
    required = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert set(required) == {"imbalanced-learn", "scikit-learn"}
    assert required.items() <= stored["versions"].items()
