"""The script that measures type-I error and power."""

import csv
import sys

import simulate_comparisons


def test_table_and_file_agree(tmp_path, monkeypatch, capsys):
    path = tmp_path / "comparisons.csv"
    arguments = ["--simulations", "4", "--repeats", "2", "--only", "gain, small"]
    monkeypatch.setattr(sys, "argv", ["x", *arguments, "--output", str(path)])
    simulate_comparisons.main()
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith("gain, small, 58, repeats 2 (mean differences: ")
    with path.open() as file:
        rows = list(csv.DictReader(file))
    primary = [float(row["rejected"]) for row in rows if row["test"] == "primary"]
    (line,) = (line for line in lines if line.startswith("  primary"))
    assert [float(text) for text in line.split()[1:]] == primary
    assert {row["simulations"] for row in rows} == {"4"}
    # One backbone has no test over backbones; it is in the file, not in the table.
    paper = [row for row in rows if row["test"] == "t, mean, backbones"]
    assert {row["tested"] for row in paper} == {"0.0"}
    assert not any("t, mean, backbones" in line for line in lines)
