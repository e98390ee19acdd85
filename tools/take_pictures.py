"""Take the pictures of the documentation: every screen, from phantoms alone.

    python tools/take_pictures.py                      # all, into docs/pictures
    python tools/take_pictures.py serve tensorboard    # some of them
    python tools/take_pictures.py --work FOLDER        # keep what they are taken of

First a run, a small benchmark, an examination and an evaluation are made, unless the
work folder has them; that takes half an hour on two processor cores. Needs Chromium and
`pip install playwright`. No picture shows anything of a patient.
"""

import argparse
import contextlib
import io
import os
import pty
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs" / "pictures"
MOST = 150_000  # bytes of a picture
WIDTH, HEIGHT = 1000, 760
COLUMNS = 80
COLOURS = (256, 128, 64, 32)

TRAIN = [
    *("data_dir=phantoms", "image_size=96", "phantoms.aiforcovid_patients=200"),
    *("phantoms.brixia_patients=150", "phantoms.matrix=384"),
    *("model.backbone=tf_efficientnet_lite0", "model.weights=phantoms"),
    *("training.learning_rate=3e-4", "training.epochs=8", "training.warmup_epochs=2"),
    *("training.tensorboard_train_images=150", "training.tensorboard_saliency=4"),
]
GRID = [
    *("--config", "replication_phantom", "backbones=[shufflenet_v2_x0_5]"),
    *("training.epochs=5", "training.warmup_epochs=1", "split.folds=3"),
    "benchmark.cross_validation={cv: {kind: kfold, folds: 3}}",
]
ELSEWHERE = """\
dataset:
  name: elsewhere
  images: new/hannover/png
  tables: new/hannover/data.csv
  columns: {image: image_id, patient: patient_id}
  labels:
    severe: {column: icu_admission_offset, event: [mild, severe]}
  fields: [projection, sex]
  preprocess: lungs_256
"""
DRAW = """\
from mdmt_tf.phantoms.plan import PhantomPlan
from mdmt_tf.phantoms.write import write_phantoms

write_phantoms(
    "new", PhantomPlan(aiforcovid_patients=4, hannover_patients=30, seed=7, matrix=384)
)
"""


class Work:
    """The folder in which commands of the package are run.

    Args:
        folder: an empty folder, or one of an earlier call.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.environment = {
            **os.environ,
            "XDG_CACHE_HOME": str(folder / "cache"),
            "TF_CPP_MIN_LOG_LEVEL": "2",
            "COLUMNS": str(COLUMNS),
            "LINES": "40",
        }

    def run(self, command: str, *arguments: str, done: str) -> None:
        """Run `python -m mdmt_tf.COMMAND`, unless the file `done` is there."""
        if (self.folder / done).exists():
            return
        print(f"mdmt_tf.{command} {' '.join(arguments)}", flush=True)
        words = [sys.executable, "-m", f"mdmt_tf.{command}", *arguments]
        subprocess.run(words, cwd=self.folder, env=self.environment, check=True)

    def in_terminal(self, name: str, command: str, *arguments: str) -> str:
        """What a command shows in a terminal of 80 columns, with its colours.

        The file NAME.txt keeps it.
        """
        kept = self.folder / f"{name}.txt"
        if kept.is_file():
            return kept.read_bytes().decode("utf-8", errors="replace")
        main, end = pty.openpty()
        words = [sys.executable, "-m", f"mdmt_tf.{command}", *arguments]
        process = subprocess.Popen(
            words,
            cwd=self.folder,
            env={**self.environment, "TERM": "xterm-256color"},
            stdin=subprocess.DEVNULL,
            stdout=end,
            stderr=end,
        )
        os.close(end)
        shown = b""
        # The other end is closed when the command has ended.
        with contextlib.suppress(OSError), os.fdopen(main, "rb", buffering=0) as stream:
            while part := stream.read(4096):
                shown += part
        if process.wait():
            raise SystemExit(f"error: {' '.join(words)}\n{shown.decode()}")
        kept.write_bytes(shown)
        return shown.decode("utf-8", errors="replace")

    def make(self) -> None:
        """Everything that the pictures show."""
        run = "runs/first"
        self.run("train", f"run_dir={run}", *TRAIN, done=f"{run}/metrics.json")
        self.run("explain", run, "--most", "4", done=f"{run}/saliency/saliency.csv")
        self.run("report", run, done=f"{run}/report/index.html")
        self.run("card", run, done=f"{run}/model_card.html")
        self.run("benchmark", *GRID, done="benchmarks/replication_phantom/grid.csv")
        grid = "benchmarks/replication_phantom"
        self.run("report", grid, done=f"{grid}/index.html")
        never = ("--fail-on", "never", "--out", "checks")
        self.run("doctor", *TRAIN[:5], *never, done="checks/index.html")
        if not (self.folder / "new").exists():
            words = [sys.executable, "-c", DRAW]
            subprocess.run(words, cwd=self.folder, env=self.environment, check=True)
        (self.folder / "elsewhere.yaml").write_text(ELSEWHERE, encoding="utf-8")
        self.run(
            *("evaluate", run, "--on", "elsewhere.yaml", "--data-dir", "other"),
            *("--labels", "prognosis=severe"),
            done=f"{run}/external/elsewhere/index.html",
        )

    @contextlib.contextmanager
    def server(self, *words: str) -> Iterator[str]:
        """Run a server until the block ends; gives its address.

        `PORT` in the words stands for a port that is free.
        """
        with socket.socket() as any_port:
            any_port.bind(("127.0.0.1", 0))
            port = any_port.getsockname()[1]
        address = f"http://127.0.0.1:{port}/"
        process = subprocess.Popen(
            [word.replace("PORT", str(port)) for word in (sys.executable, *words)],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait_for(address, process)
            yield address
        finally:
            process.terminate()
            process.wait()


def _wait_for(address: str, process: subprocess.Popen) -> None:
    for _ in range(600):
        if process.poll() is not None:
            raise SystemExit(f"error: {process.args} ended with {process.returncode}")
        with contextlib.suppress(OSError), urllib.request.urlopen(address):
            return
        time.sleep(0.5)
    raise SystemExit(f"error: nothing answers at {address}")


class Camera:
    """A browser that takes pictures of pages.

    Args:
        browser: of playwright.
        work: what is shown.
        out: folder of the pictures.
    """

    def __init__(self, browser, work: Work, out: Path):
        self.browser = browser
        self.work = work
        self.out = out

    def page(self, address: str, *, scheme: str = "light", width: int = WIDTH):
        """A page of the browser, opened at an address or at a file of the work."""
        page = self.browser.new_page(
            viewport={"width": width, "height": HEIGHT}, color_scheme=scheme
        )
        if ":" not in address:
            address = (self.work.folder / address).resolve().as_uri()
        page.goto(address)
        page.wait_for_timeout(500)
        return page

    def take(self, page, name: str, *, height: int = HEIGHT, at=None) -> None:
        """Write docs/pictures/NAME.png of `height` pixels of a page.

        They begin at the top of the page, or at the first element of `at`.
        """
        size = {"width": page.viewport_size["width"], "height": height}
        page.set_viewport_size(size)
        if at is not None:
            page.locator(at).first.evaluate("element => element.scrollIntoView()")
            page.wait_for_timeout(500)
        self.write(name, page.screenshot())
        page.close()

    def write(self, name: str, data: bytes) -> None:
        """Write docs/pictures/NAME.png from the bytes of a PNG file."""
        path = self.out / f"{name}.png"
        path.write_bytes(small(data))
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB", flush=True)

    def terminal(self, name: str, command: str, *arguments: str, first: int) -> None:
        """Write a picture of what a command shows in a terminal."""
        shown = self.work.in_terminal(name, command, *arguments)
        # What a reader sees who has activated the environment.
        shown = shown.replace(sys.executable, "python")
        title = f"$ python -m mdmt_tf.{command} {' '.join(arguments)}"
        page = self.page("about:blank")
        page.set_content(terminal_page(title, shown, first))
        self.write(name, page.locator("pre").screenshot())
        page.close()


def small(data: bytes) -> bytes:
    """A PNG file with as many colours as fit into 150 kB.

    Raises: ValueError when it is too large even with 32 colours.
    """
    image = Image.open(io.BytesIO(data)).convert("RGB")
    for colours in COLOURS:
        made = io.BytesIO()
        few = image.quantize(colours, dither=Image.Dither.NONE)
        few.save(made, "PNG", optimize=True)
        if made.tell() < MOST:
            return made.getvalue()
    raise ValueError(f"a picture of {made.tell()} bytes; at most {MOST}.")


def terminal_page(title: str, shown: str, first: int) -> str:
    """A page that shows the first lines of a terminal, as its reader saw them.

    Args:
        title: the command.
        shown: what it has written, with control sequences.
        first: how many lines to show at most.
    """
    screen = []
    for line in shown.replace("\r\n", "\n").split("\n"):
        # What a carriage return has overwritten is not seen any more.
        screen.append(line.rstrip("\r").rpartition("\r")[2])
    while screen and not screen[-1].strip():
        screen.pop()
    record = Console(record=True, width=COLUMNS, file=io.StringIO())
    record.print(Text(title, style="bold"))
    for line in screen[:first]:
        record.print(Text.from_ansi(line), soft_wrap=True)
    return record.export_html(
        theme=MONOKAI,
        inline_styles=True,
        code_format="""<body style="margin: 0"><pre style="display: inline-block;
          margin: 0; padding: 14px; font: 14px/1.35 DejaVu Sans Mono, monospace;
          background: {background}; color: {foreground}">{code}</pre></body>""",
    )


def report_benchmark(camera: Camera) -> None:
    page = camera.page("benchmarks/replication_phantom/index.html")
    camera.take(page, "report_benchmark", height=900)


def report_benchmark_dark(camera: Camera) -> None:
    page = camera.page("benchmarks/replication_phantom/index.html", scheme="dark")
    camera.take(page, "report_benchmark_dark", height=900)


def report_run(camera: Camera) -> None:
    camera.take(camera.page("runs/first/report/index.html"), "report_run", height=1000)


def report_run_curves(camera: Camera) -> None:
    page = camera.page("runs/first/report/index.html")
    camera.take(page, "report_run_curves", height=900, at="#curves_prognosis")


def report_run_images(camera: Camera) -> None:
    page = camera.page("runs/first/report/index.html")
    camera.take(page, "report_run_images", height=900, at="#images")


def report_run_narrow(camera: Camera) -> None:
    page = camera.page("runs/first/report/index.html", scheme="dark", width=400)
    camera.take(page, "report_run_narrow", height=800)


def model_card(camera: Camera) -> None:
    camera.take(camera.page("runs/first/model_card.html"), "model_card", height=900)


def doctor(camera: Camera) -> None:
    camera.take(camera.page("checks/index.html"), "doctor", height=900)


def external(camera: Camera) -> None:
    page = camera.page("runs/first/external/elsewhere/index.html")
    camera.take(page, "external", height=900)


def tensorboard(camera: Camera) -> None:
    logs = "runs/first/tensorboard"
    words = ("-m", "tensorboard.main", "--logdir", logs, "--port", "PORT")
    with camera.work.server(*words) as address:
        for name, tab, tags in (
            ("tensorboard", "scalars", ""),
            ("tensorboard_images", "images", "examples"),
            ("tensorboard_answer", "images", "1 prognosis"),
            ("tensorboard_curves", "pr_curves", ""),
        ):
            page = camera.page(f"{address}#{tab}", width=1280)
            page.wait_for_timeout(6000)
            # Of several groups, TensorBoard opens the first ones only.
            page.locator("tf-tag-filterer input").first.fill(tags)
            page.wait_for_timeout(6000)
            camera.take(page, name, height=900)


def tensorboard_hparams(camera: Camera) -> None:
    logs = "benchmarks/replication_phantom/tensorboard"
    words = ("-m", "tensorboard.main", "--logdir", logs, "--port", "PORT")
    with camera.work.server(*words) as address:
        page = camera.page(f"{address}#hparams", width=1280)
        page.wait_for_timeout(6000)
        camera.take(page, "tensorboard_hparams", height=800)


def serve(camera: Camera) -> None:
    files = sorted((camera.work.folder / "new/AIforCOVID").rglob("*.dcm"))[:2]
    with camera.work.server(
        "-m", "mdmt_tf.serve", "runs/first", "--port", "PORT"
    ) as address:
        page = camera.page(address)
        page.set_input_files("#files", [str(path) for path in files])
        page.wait_for_selector("#answers:not([hidden])", timeout=300_000)
        page.wait_for_timeout(3000)
        camera.take(page, "serve", height=1400)


def saliency(camera: Camera) -> None:
    folder = camera.work.folder / "runs/first/saliency"
    path = sorted(folder.rglob("severity-grad_cam.png"))[0]
    camera.write("saliency", path.read_bytes())


def terminal_dry_run(camera: Camera) -> None:
    camera.terminal("terminal_dry_run", "train", *TRAIN, "--dry-run", first=60)


def terminal_train(camera: Camera) -> None:
    shutil.rmtree(camera.work.folder / "runs/shown", ignore_errors=True)
    short = [*TRAIN[:-2], "training.epochs=3", "training.warmup_epochs=1"]
    camera.terminal("terminal_train", "train", "run_dir=runs/shown", *short, first=60)


def terminal_report(camera: Camera) -> None:
    folder = "benchmarks/replication_phantom"
    camera.terminal("terminal_report", "report", folder, first=36)


SCREENS: dict[str, Callable[[Camera], None]] = {
    screen.__name__: screen
    for screen in (
        report_benchmark,
        report_benchmark_dark,
        report_run,
        report_run_curves,
        report_run_images,
        report_run_narrow,
        model_card,
        doctor,
        external,
        tensorboard,
        tensorboard_hparams,
        serve,
        saliency,
        terminal_dry_run,
        terminal_train,
        terminal_report,
    )
}


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    text = f"what to take (default: all): {', '.join(SCREENS)}"
    parser.add_argument("screens", nargs="*", metavar="SCREEN", help=text)
    text = "folder for what is shown, to use again (default: a temporary one)"
    parser.add_argument("--work", type=Path, metavar="FOLDER", help=text)
    parser.add_argument("--out", type=Path, default=PICTURES, metavar="FOLDER")
    text = "browser (default: the Chromium of the system)"
    parser.add_argument("--chromium", default=shutil.which("chromium"), help=text)
    options = parser.parse_args(argv)
    if unknown := set(options.screens) - set(SCREENS):
        parser.error(f"no screens: {', '.join(sorted(unknown))}; {text}")
    from playwright.sync_api import sync_playwright

    options.out.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        folder = options.work or stack.enter_context(tempfile.TemporaryDirectory())
        work = Work(Path(folder).resolve())
        work.make()
        browser = stack.enter_context(sync_playwright()).chromium.launch(
            executable_path=options.chromium, args=["--no-sandbox"]
        )
        camera = Camera(browser, work, options.out)
        for name in options.screens or SCREENS:
            SCREENS[name](camera)


if __name__ == "__main__":
    main()
