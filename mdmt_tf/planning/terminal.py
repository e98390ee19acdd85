"""What was guessed about a new dataset, in the terminal."""

from rich.console import Console

from mdmt_tf.metrics.text import plural
from mdmt_tf.planning import plan
from mdmt_tf.planning.draft import Draft, Order
from mdmt_tf.screen.commands import command


def report(order: Order, draft: Draft, screen: Console | None = None) -> None:
    """Print the guesses, what is unsure of them, warnings, and the next commands."""
    screen = screen or Console(highlight=False)

    def line(text: str, style: str | None = None) -> None:
        screen.print(text, style=style, markup=False)

    seen, data = draft.inspection, draft.data
    found = seen.match
    line(
        f"{order.name}: {plural(data.images, 'image')} of "
        f"{plural(data.patients, 'patient')}; "
        f"{found.column} names {found.n_files} of "
        f"{plural(draft.n_files, 'file')}"
    )
    if without := draft.n_rows - data.images:
        line(f"{without} of {draft.n_rows} rows have no image or no patient")
    patient = seen.patient.column or "every image another"
    line(f"patient: {patient}; site: {seen.site.column or 'one'}")
    for label in seen.used:
        counts = ", ".join(f"{n} {name}" for name, n in label.patients.items())
        of = f"patients: {counts}" if counts else plural(label.n_patients, "patient")
        line(f"label {label.name} from {label.column}, {label.kind}; {of}")
    if others := [label.column for label in seen.labels if label.against]:
        line(f"possible labels, in comments: {', '.join(others)}")
    if seen.fields:
        line(f"fields: {', '.join(guess.column for guess in seen.fields)}")
    line(f"preprocess: {seen.preprocess.value}")
    for text in seen.unsure:
        line(f"unsure: {text}", "yellow")
    for text in [*seen.warnings, *plan.find_limits(data)]:
        line(f"warning: {text}", "yellow")
    line(f"\nWritten: {order.out}. Look at it, then:")
    for text in (
        command("prepare", order.out, "--data-dir", "DATA"),
        command("train", "--config", order.out, "data_dir=DATA"),
    ):
        screen.print(f"  {text}", markup=False, soft_wrap=True)
