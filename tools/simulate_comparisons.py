"""Type-I error and power of the tests that compare two experiments, by simulation.

    python tools/simulate_comparisons.py --simulations 1000 --repeats 1 10

Each scenario of `mdmt_tf.statistics.simulation` is drawn many times; the table has the
percentage of the simulations in which p < 0.05, for accuracy, balanced accuracy and
AUC. At 5 %, the Monte Carlo error of 1000 simulations is 0.7 points. This takes about
an hour on one core, most of it for 1585 patients with 10 repeats; `--only` chooses
scenarios. `comparisons.csv` has all numbers.
"""

import argparse
import csv
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mdmt_tf.statistics.candidates import p_across_sites, p_values
from mdmt_tf.statistics.simulation import (
    ALTERNATIVES,
    METRICS,
    NULLS,
    SITES,
    Scenario,
    measure,
    simulate,
)

TITLES = {"accuracy": "accuracy", "balanced_accuracy": "balanced", "auc": "AUC"}
COLUMNS = ["scenario", "repeats", "metric", "test"]
COLUMNS += ["simulations", "tested", "rejected", "difference"]


def simulated(scenario: Scenario, simulations: int, seed: int = 0) -> list[dict]:
    """One row for each metric and test.

    `tested` is the percentage of simulations in which there is a test, `rejected` of
    all simulations.
    """
    found: dict = {}
    differences = dict.fromkeys(METRICS, 0.0)
    for number in range(simulations):
        drawn = simulate(scenario, np.random.default_rng([seed, number]))
        across = p_across_sites(drawn) if scenario.sites else {}
        for metric, measured in measure(drawn).items():
            differences[metric] += measured.values.mean() / simulations
            values = p_values(measured, scenario.folds)
            if scenario.sites:
                values["across sites"] = across[metric]
            for test, p in values.items():
                found.setdefault((metric, test), []).append(p)
    return [
        {
            "scenario": scenario.name,
            "repeats": scenario.repeats,
            "metric": metric,
            "test": test,
            "simulations": simulations,
            "tested": round(100 * float(np.mean(~np.isnan(p))), 1),
            "rejected": round(100 * float(np.mean(np.array(p) < 0.05)), 1),
            "difference": round(differences[metric], 4),
        }
        for (metric, test), p in found.items()
    ]


def table(rows: list[dict]) -> Iterator[str]:
    """Lines of at most 80 columns for the rows of one scenario."""
    first = rows[0]
    gains = ", ".join(
        f"{100 * row['difference']:+.1f}" for row in rows if row["test"] == "primary"
    )
    yield f"{first['scenario']}, repeats {first['repeats']} (mean differences: {gains})"
    yield f"  {'p < 0.05 in % of ' + str(first['simulations']):32s}" + "".join(
        f"{TITLES[name]:>10s}" for name in METRICS
    )
    for test in dict.fromkeys(row["test"] for row in rows):
        values = [row["rejected"] for row in rows if row["test"] == test]
        if any(row["tested"] for row in rows if row["test"] == test):
            yield f"  {test:32s}" + "".join(f"{value:10.1f}" for value in values)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--simulations", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0, help="other datasets")
    parser.add_argument("--repeats", type=int, nargs="+", default=[1, 10])
    parser.add_argument(
        "--only",
        default="",
        help="text in the name of the scenario, such as 'small, 58'",
    )
    parser.add_argument("--output", type=Path, default=Path("comparisons.csv"))
    args = parser.parse_args()
    with args.output.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for scenario in (*NULLS, *SITES, *ALTERNATIVES):
            # Leave-one-site-out has nothing to repeat.
            all_repeats = [1] if scenario.sites else args.repeats
            for repeats in all_repeats if args.only in scenario.name else ():
                own = dataclasses.replace(scenario, repeats=repeats)
                rows = simulated(own, args.simulations, args.seed)
                writer.writerows(rows)
                file.flush()
                print("\n".join(table(rows)), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
