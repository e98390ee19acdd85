"""The notebooks of the documentation: what is kept of their output; they run."""

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "docs").rglob("*.ipynb"))
MOST = 300_000  # bytes of a notebook with its pictures


@pytest.fixture(scope="module")
def run_notebook():
    pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    import run_notebook

    yield run_notebook
    sys.modules.pop("run_notebook")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_with_small_outputs(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert path.stat().st_size < MOST
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert cells and any(cell["outputs"] for cell in cells)
    for cell in cells:
        assert cell["execution_count"] is None
        pictures = ["image/png" in one.get("data", {}) for one in cell["outputs"]]
        # A reader who cannot see it is told what it shows.
        assert any(pictures) == ("alt" in cell["metadata"])
        assert not [one for one in cell["outputs"] if one.get("name") == "stderr"]
        compile("".join(cell["source"]), path.name, "exec")


def test_what_differs_each_time_is_left_out(run_notebook):
    cell = run_notebook.nbformat.v4.new_code_cell("1", execution_count=7)
    cell.metadata["execution"] = {"iopub.execute_input": "2026-01-01"}
    new = run_notebook.nbformat.v4.new_output
    cell.outputs = [
        new("stream", name="stderr", text="a warning"),
        new("execute_result", data={"text/plain": "1"}, execution_count=7),
    ]
    run_notebook.clean(cell, "book")
    assert [output.data for output in cell.outputs] == [{"text/plain": "1"}]
    assert cell.execution_count is cell.outputs[0].execution_count is None
    assert dict(cell.metadata) == {}
    cell.outputs[0].data["text/plain"] = "1" * run_notebook.MOST
    with pytest.raises(ValueError, match="book: an output of "):
        run_notebook.clean(cell, "book")


@pytest.mark.large
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_puts_out_the_same_kinds(path, run_notebook):
    """Numbers may differ in their last digits on another processor, kinds may not."""

    def kinds(notebook):
        return [
            [sorted(one.get("data", ["text"])) for one in cell.outputs]
            for cell in notebook.cells
            if cell.cell_type == "code"
        ]

    stored = run_notebook.nbformat.read(path, as_version=4)
    assert kinds(run_notebook.executed(path)) == kinds(stored)
