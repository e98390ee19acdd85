"""Make tests/reference/imblearn.json: the weighted G-mean of imbalanced-learn.

    python3 -m venv .venv-metrics
    .venv-metrics/bin/pip install -r tests/reference/requirements-metrics.txt
    .venv-metrics/bin/python tools/make_metric_reference.py

The environment is one of its own: the package and its tests do not need
imbalanced-learn.
"""

import json
from pathlib import Path

import imblearn
import numpy as np
import sklearn
from imblearn.metrics import geometric_mean_score

FILE = Path(__file__).resolve().parent.parent / "tests" / "reference" / "imblearn.json"

# Number of classes, rows, and how often a prediction is drawn anew.
CASES = ((2, 12, 0.4), (2, 314, 0.33), (3, 20, 0.6), (4, 50, 0.5), (4, 9, 0.9))


def main():
    generator = np.random.default_rng(0)
    cases = []
    for k, n, wrong in CASES:
        truth = generator.choice(k, n, p=generator.dirichlet(np.full(k, 5.0)))
        drawn = generator.integers(0, k, n)
        predicted = np.where(generator.random(n) < wrong, drawn, truth)
        value = geometric_mean_score(truth, predicted, average="weighted")
        cases.append(
            {
                "classes": k,
                "targets": truth.tolist(),
                "predictions": predicted.tolist(),
                "g_mean_weighted": float(value),
            }
        )
    versions = {
        "imbalanced-learn": imblearn.__version__,
        "scikit-learn": sklearn.__version__,
        "numpy": np.__version__,
    }
    text = json.dumps({"versions": versions, "cases": cases})
    FILE.write_text(text + "\n", encoding="utf-8")
    print(f"{FILE}: {len(cases)} cases")


if __name__ == "__main__":
    main()
