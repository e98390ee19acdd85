"""Execute notebooks of the documentation and keep what they put out.

    python tools/run_notebook.py docs/tutorials/in_python.ipynb

A notebook runs in an empty folder. Of its output, what would differ each time is left
out: numbers of cells, times, and warnings of libraries. Needs the extra `docs`.
"""

import argparse
import tempfile
from pathlib import Path

import nbclient
import nbformat

MOST = 60_000  # characters of an output: it is read in a repository browser


def executed(path: Path) -> nbformat.NotebookNode:
    """The notebook with new outputs.

    Raises: nbclient.exceptions.CellExecutionError when a cell fails; ValueError when an
        output is too large for a repository.
    """
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        resources = {"metadata": {"path": folder}}
        client = nbclient.NotebookClient(
            notebook, timeout=1800, kernel_name="python3", resources=resources
        )
        client.execute()
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "code":
            clean(cell, f"{path}, cell {number}")
    notebook.metadata.pop("widgets", None)
    notebook.metadata["language_info"] = {"name": "python"}
    return notebook


def clean(cell: nbformat.NotebookNode, name: str) -> None:
    """Keep of a cell's output what a reader needs."""
    cell.execution_count = None
    cell.metadata.pop("execution", None)
    cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    for output in cell.outputs:
        if "execution_count" in output:
            output.execution_count = None
        size = len(str(output))
        if size > MOST:
            raise ValueError(f"{name}: an output of {size} characters; at most {MOST}.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("notebooks", nargs="+", type=Path)
    for path in parser.parse_args().notebooks:
        nbformat.write(executed(path), path)


if __name__ == "__main__":
    main()
