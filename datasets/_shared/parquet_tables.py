"""Tables in Parquet files.

They are compressed in several ways at once, so that a kilobyte may hold any number of
cells or bytes, whatever the file says of itself. So it is decoded in another process,
a few rows at a time, with a limit on the memory.
"""

from pathlib import Path
from typing import Any

from mdmt_tf.datasets._shared.spreadsheets import cell_text
from mdmt_tf.datasets._shared.table_text import Line, check_cells
from mdmt_tf.errors import DataError
from mdmt_tf.imaging import isolation, limits

_BATCH = 1024  # rows that are decoded at once
# Bytes for the decoder, beside the cells.
_MEMORY = 500_000_000


def read_lines(path: Path) -> list[Line]:
    """Cells as text; the first row has the number 1, and the header 0.

    A cell that is a list, or has cells of its own, is the name of its type.

    Raises: DataError when the file cannot be read or is too large.
    """
    try:
        import pyarrow.parquet  # noqa: F401 - the other process needs it
    except ImportError as error:
        raise DataError(
            f"{path}: Parquet files need pyarrow. Install it with "
            "`python -m pip install 'mdmt_tf[parquet]'`, or save the table as CSV."
        ) from error
    names, columns, count = isolation.isolated(str(path), _decode, path)
    try:
        cells = [
            [column] * count
            if isinstance(column, str)
            else [cell for batch in column for cell in batch.to_pylist()]
            for column in columns
        ]
    except (ValueError, OverflowError) as error:  # such as a day that does not exist
        raise _unreadable(path, error) from error
    lines: list[Line] = [(0, names)]
    for number, values in enumerate(zip(*cells, strict=True), 1):
        lines.append((number, [cell_text(value) for value in values]))
    return lines


def _decode(path: Path) -> tuple[list[str], list[Any], int]:
    """Names of the columns; batches of cells or a type for each; the number of rows."""
    import pyarrow.parquet

    # Others reserve more memory than they use.
    pyarrow.set_memory_pool(pyarrow.system_memory_pool())
    try:
        with (
            isolation.at_most(limits.current().max_table_bytes + _MEMORY),
            pyarrow.parquet.ParquetFile(path, page_checksum_verification=True) as file,
        ):
            return _decode_file(path, file)
    except MemoryError as error:
        raise _too_large(path) from error
    except (OSError, pyarrow.ArrowException) as error:
        raise _unreadable(path, error) from error


def _decode_file(path: Path, file: Any) -> tuple[list[str], list[Any], int]:
    import pyarrow

    schema, width = file.schema_arrow, file.metadata.num_columns
    check_cells(path, file.metadata.num_rows * width)
    nested = [pyarrow.types.is_nested(field.type) for field in schema]
    flat = [
        name for name, is_one in zip(schema.names, nested, strict=True) if not is_one
    ]
    columns: list[list[Any]] = [[] for _ in flat]
    count = size = 0
    for batch in file.iter_batches(_BATCH, columns=flat, use_threads=False):
        count += batch.num_rows
        check_cells(path, count * width)
        for column, own in zip(columns, batch.columns, strict=True):
            if pyarrow.types.is_dictionary(own.type):
                own = own.dictionary_decode()
            size += own.nbytes
            if size > limits.current().max_table_bytes:
                raise _too_large(path)
            column.append(own)
        limits.check_unpacked(str(path), size, path.stat().st_size)
    decoded = iter(columns)
    cells = [
        str(field.type) if is_one else next(decoded)
        for field, is_one in zip(schema, nested, strict=True)
    ]
    return list(schema.names), cells, count


def _too_large(path: Path) -> DataError:
    most = limits.current().max_table_bytes
    return DataError(
        f"{path}: this table holds too many bytes once it is unpacked: expected at "
        f"most {most}. If the file is in order, raise the limit: --limit "
        "max_table_bytes=NUMBER"
    )


def _unreadable(path: Path, error: Exception) -> DataError:
    return DataError(f"{path}: this table cannot be read: {error}")
