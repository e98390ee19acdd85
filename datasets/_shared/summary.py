"""The summary that `prepare` prints: images, patients, classes, rejected files."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from mdmt_tf.datasets._shared.prepare import PreparedFolder


def print_summary(console: "Console", prepared: "PreparedFolder") -> None:
    """Print what was read and rejected, the classes and sites, and the folder."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    metadata = prepared.metadata
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(escape(prepared.name), min_width=40, overflow="fold")
    table.add_column("images", justify="right", overflow="fold")
    table.add_column("patients", justify="right", overflow="fold")
    table.add_row("prepared", str(metadata["prepared"]), str(metadata["patients"]))
    for field, classes in metadata["labels"].items():
        table.add_row(escape(field))
        for name, counts in classes.items():
            if name != "unknown" or counts["images"]:
                numbers = str(counts["images"]), str(counts["patients"])
                table.add_row(escape(f"  {name}"), *numbers)
    table.add_row("site")
    for site, images in largest(metadata["sites"]):
        table.add_row(escape(f"  {site}"), str(images))
    if metadata["boxes"]:  # volumes have none
        table.add_row("box")
    for source, images in metadata["boxes"].items():
        table.add_row(escape(f"  {source}"), str(images))
    table.add_row("rows of the tables", str(metadata["rows_read"]))
    if metadata["rows_repeated"]:
        table.add_row("  that repeat another", str(metadata["rows_repeated"]))
    if left_out := metadata.get("left_out"):
        table.add_row("left out by `keep`", str(sum(left_out.values())))
        for condition, rows in left_out.items():
            table.add_row(escape(f"  {condition}"), str(rows))
    for name, counts in metadata.get("unmatched", {}).items():
        if counts["images"]:
            table.add_row(escape(f"rows without one in {name}"), str(counts["images"]))
    table.add_row("rejected", str(metadata["rejected"]))
    for kind, images in metadata["rejected_by_reason"].items():
        table.add_row(f"  {kind}", str(images))
    if doubts := metadata.get("warnings"):
        table.add_row("taken with a warning", str(sum(doubts.values())))
        for kind, count in doubts.items():
            table.add_row(escape(f"  {kind}"), str(count))
    console.print(table)
    if metadata["synthetic"]:
        console.print(f"[bold]{prepared.name} is SYNTHETIC[/]: phantoms, not patients")
    for note in metadata.get("notes", ()):
        console.print(note, markup=False, soft_wrap=True)
    # Not in the table, so that a path can be copied as a whole.
    plain = {"markup": False, "soft_wrap": True}
    done = "was already prepared in" if prepared.reused else "prepared in"
    console.print(f"{prepared.name} {done} {prepared.path}", **plain)
    if prepared.note:
        console.print(prepared.note, **plain)
    if metadata["rejected"] or metadata.get("left_out"):
        console.print(f"rejected: {prepared.path / 'rejected.csv'}", **plain)
    if metadata.get("warnings"):
        console.print(f"warnings: {prepared.path / 'warnings.csv'}", **plain)


def largest(sites: dict[str, int], limit: int = 8) -> list[tuple[str, int]]:
    """The sites with most images, and the others combined."""
    ordered = sorted(sites.items(), key=lambda item: (-item[1], item[0]))
    if len(ordered) <= limit + 1:
        return sorted(ordered)
    others = ordered[limit:]
    total = sum(images for _, images in others)
    return [*ordered[:limit], (f"{len(others)} others", total)]
