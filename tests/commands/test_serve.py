"""The command: what it refuses, a server in a process of its own, and its page."""

import base64
import contextlib
import csv
import http.client
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import psutil
import pytest
import uvicorn

from mdmt_tf import config, predict, serve
from mdmt_tf.config import files
from mdmt_tf.data import embedded
from mdmt_tf.errors import ConfigError, DataError
from mdmt_tf.serving.ensemble import open_models
from mdmt_tf.serving.web import listening
from mdmt_tf.serving.web.app import build_app
from mdmt_tf.serving.web.bounds import Bounds
from mdmt_tf.serving.web.service import Service
from mdmt_tf.storage import write_json
from mdmt_tf.training import trainer

FILMS = 18


@pytest.fixture
def finished(tmp_path):
    """A folder that looks like a SavedModel."""
    (tmp_path / "saved_model.pb").touch()
    return str(tmp_path)


def test_what_is_no_model_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="expected the folder of a finished run"):
        serve.main([str(tmp_path)])
    (tmp_path / "config.yaml").touch()
    (tmp_path / "split.json").touch()
    with pytest.raises(DataError, match="not finished"):
        serve.main([str(tmp_path)])


def test_other_computers_are_not_served_by_accident(finished):
    with pytest.raises(ConfigError, match=r"--host 0\.0\.0\.0: .*--allow-remote"):
        serve.main([finished, "--host", "0.0.0.0"])
    with pytest.raises(ConfigError, match=r"--host 0\.0\.0\.0 .*--allowed-host NAME"):
        serve.main([finished, "--host", "0.0.0.0", "--allow-remote"])


def test_missing_packages_are_named(finished, monkeypatch):
    monkeypatch.setattr(serve.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'mdmt_tf\[serve\]'"):
        serve.main([finished])


@pytest.mark.parametrize("option", ["--port=70000", "--max-files=0", "--port=x"])
def test_numbers_out_of_range_are_refused(finished, option, capsys):
    with pytest.raises(SystemExit):
        serve.main([finished, option])
    assert option.partition("=")[0] in capsys.readouterr().err


# Large tests: a run on phantoms, in a server.


@pytest.fixture(scope="module")
def run(tiny_backbone, tmp_path_factory):
    """A run that was trained on phantoms for two epochs."""
    folder = tmp_path_factory.mktemp("phantoms")
    values = {
        "experiment": "small",
        "image_size": 48,
        "data_dir": str(folder),
        "run_dir": str(folder / "run"),
        "phantoms": {"aiforcovid_patients": 90, "brixia_patients": 0, "matrix": 256},
        "tasks": {
            "prognosis": {
                "kind": "categorical",
                "classes": ["mild", "severe"],
                "from": {"aiforcovid": "prognosis"},
            }
        },
        "datasets": {"aiforcovid": {"config": "lungs_64"}},
        "split": {"folds": 3},
        "model": {"backbone": tiny_backbone},
        "training": {
            "epochs": 2,
            "batch_size": 8,
            "warmup_epochs": 0,
            "tensorboard": False,
            "select_on": {"task": "prognosis"},
        },
    }
    files.write(values, folder / "settings.yaml")
    settings = config.load(str(folder / "settings.yaml"), [])
    return trainer.train(embedded.provide(settings, lambda text: None))


@pytest.fixture(scope="module")
def films(run, tmp_path_factory):
    """DICOM films, one of them damaged and one with another name."""
    folder = tmp_path_factory.mktemp("films")
    originals = sorted((run.path.parent / "originals").rglob("*.dcm"))[:FILMS]
    for path in originals:
        shutil.copy(path, folder)
    first, second, *_ = sorted(folder.iterdir())
    first.write_bytes(first.read_bytes()[:2000])
    second.rename(folder / "=1+1 <b>.dcm")
    return sorted(folder.iterdir())


@contextlib.contextmanager
def process(model, folder, *options):
    """A server in a process of its own, which may write to `folder` alone."""
    for name in ("home", "temporary", "place"):
        (folder / name).mkdir()
    own = {"HOME": "home", "TMPDIR": "temporary", "XDG_CACHE_HOME": "home"}
    env = os.environ | {name: str(folder / place) for name, place in own.items()}
    env |= {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
    env |= {"MPLCONFIGDIR": str(folder / "home")}
    command = [sys.executable, "-m", "mdmt_tf.serve", str(model), "--port", "0"]
    with (folder / "errors").open("w") as errors:
        server = subprocess.Popen(
            [*command, *options],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=env,
            cwd=folder / "place",
        )
    try:
        line = server.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+", line)
        assert found, line + (folder / "errors").read_text()
        yield server, found[0]
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


def post(url, paths, **options):
    form = [("files", (path.name, path.read_bytes())) for path in paths]
    return httpx.post(f"{url}/api/predict", files=form, timeout=300, params=options)


def written(*folders):
    """Every file and folder below folders, with its size and time.

    Shared memory is everybody's; the semaphores in it, also of others, hold no data.
    """
    paths = [
        path
        for folder in folders
        for path in folder.rglob("*")
        if not path.name.startswith("sem.")
    ]
    return {(str(p), p.lstat().st_size, p.lstat().st_mtime_ns) for p in paths}


def bytes_written(server):
    """What a process and those that it started have written to disks."""
    parent = psutil.Process(server.pid)
    processes = [parent, *parent.children(recursive=True)]
    texts = [Path(f"/proc/{one.pid}/io").read_text() for one in processes]
    return sum(int(re.search(r"\nwrite_bytes: (\d+)", text)[1]) for text in texts)


@pytest.mark.large
def test_nothing_is_stored(run, films, tmp_path):
    """Not on a disk, in no file and no log; also not of what cannot be read."""
    with process(run.saved_model, tmp_path) as (server, url):
        assert post(url, films).status_code == 200  # starts all decoders
        places = [run.path, tmp_path, Path("/dev/shm")]
        before, so_far = written(*places), bytes_written(server)
        for _ in range(3):
            assert len(post(url, films, pictures="true").json()["answers"]) == FILMS
        for body in (b"x" * 3_000_000, b"\x89PNG\r\n\x1a\n" + b"x" * 3_000_000):
            form = {"files": ("Jane Miller.png", body)}
            reply = httpx.post(f"{url}/api/predict", files=form, timeout=300)
            assert "Jane Miller.png" in reply.text
        assert written(*places) ^ before == set()
        assert bytes_written(server) == so_far
        open_files = {os.readlink(f) for f in Path(f"/proc/{server.pid}/fd").iterdir()}
        assert sum("/memfd:mdmt_tf" in name for name in open_files) <= 1
        with pytest.raises(httpx.HTTPError):  # in the middle of a request
            threading.Timer(0.3, server.kill).start()
            post(url, films * 5)
        server.wait()
        assert written(*places) ^ before == set()
    assert "Miller" not in (tmp_path / "errors").read_text()


@pytest.mark.large
def test_ctrl_c_ends_it_and_what_is_under_way_is_answered(run, films, tmp_path):
    with process(run.saved_model, tmp_path) as (server, url):
        found = []
        asking = threading.Thread(target=lambda: found.append(post(url, films)))
        asking.start()
        while not httpx.get(f"{url}/health").json()["requests"]:
            time.sleep(0.01)
        server.send_signal(signal.SIGINT)
        assert server.wait(timeout=60) == 0
        asking.join()
        assert found[0].status_code == 200
        assert server.stdout.read().rstrip().endswith("ended")
    assert "Traceback" not in (tmp_path / "errors").read_text()


@pytest.mark.large
def test_a_client_that_goes_does_not_stop_the_others(run, films, tmp_path):
    with process(run.saved_model, tmp_path) as (server, url):
        host = url.removeprefix("http://")
        for _ in range(20):
            gone = http.client.HTTPConnection(host)
            gone.putrequest("POST", "/api/predict")
            gone.putheader("Content-Type", "multipart/form-data; boundary=X")
            gone.putheader("Content-Length", "1000")
            gone.endheaders(b"--X\r\n")
            gone.close()
        with pytest.raises(httpx.TimeoutException):
            form = [("files", (path.name, path.read_bytes())) for path in films]
            httpx.post(f"{url}/api/predict", files=form, timeout=0.2)
        assert post(url, films[2:3]).status_code == 200
        while httpx.get(f"{url}/health").json()["requests"]:
            time.sleep(0.05)
        assert server.poll() is None
    assert "Traceback" not in (tmp_path / "errors").read_text()


@pytest.mark.large
def test_several_models_have_the_card_of_their_ensemble(run, tmp_path):
    another = shutil.copytree(run.saved_model, tmp_path / "another")
    # As of a model with other weights; one that is given twice has no ensemble.
    (another / "variables" / "more").write_text("other")
    card = another / "model_card.json"
    facts = json.loads(card.read_text(encoding="utf-8"))
    facts["hashes"]["model"] = "sha256:another"
    write_json(card, facts)
    with process(run.saved_model, tmp_path, str(another)) as (_, url):
        assert 'href="/card"' in httpx.get(url).text
        assert "Model card: ensemble of 2" in httpx.get(f"{url}/card").text


@pytest.fixture(scope="module")
def url(run):
    """A server of the run in this process: its backbone is one of the tests."""
    bounds = Bounds(files=50)
    service = Service(open_models([run.path]), bounds)
    with listening.socket_at("127.0.0.1", 0) as own:
        address = listening.url_of(own)
        app = build_app(service, bounds, listening.LOOPBACK, address)
        settings = uvicorn.Config(app, log_level="error", http="h11", ws="none")
        server = uvicorn.Server(settings)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [own]})
        thread.start()
        yield address
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def expected(run, films, tmp_path_factory):
    """The CSV file of `predict`."""
    out = tmp_path_factory.mktemp("predicted") / "answers.csv"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(films[0].parent)
        names = [path.name for path in films]
        assert predict.main([str(run.path), *names, "--out", str(out)]) == 0
    return out.read_bytes()


@pytest.mark.large
def test_answers_are_those_of_predict_to_the_byte(url, films, expected):
    assert post(url, films, format="csv").content == expected


@pytest.fixture(scope="module")
def browser():
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("needs chromium")
    from playwright import sync_api

    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox"]
        )
        yield browser
        browser.close()


@pytest.fixture
def page(browser, url):
    """The page, 400 pixels wide; complaints of the browser are errors."""
    context = browser.new_context(viewport={"width": 400, "height": 800})
    page = context.new_page()
    complaints = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text))
    page.on(
        "request",
        lambda one: (
            None
            if one.url.startswith((url, "data:", "blob:"))
            else complaints.append(one.url)
        ),
    )
    page.goto(url)
    page.wait_for_selector("#overview thead th", state="attached")
    yield page
    context.close()
    assert not complaints


def answered(page):
    page.wait_for_selector("#csv:enabled", timeout=120_000)
    return page.inner_text("#status")


def saved(page):
    with page.expect_download() as download:
        page.click("#csv")
    assert download.value.suggested_filename == "answers.csv"
    return Path(download.value.path()).read_bytes()


@pytest.mark.large
def test_dropped_files_are_answered(page, films, expected):
    names = [path.name for path in films]
    contents = [base64.b64encode(path.read_bytes()).decode() for path in films]
    page.evaluate(
        """([names, contents]) => {
            const transfer = new DataTransfer();
            names.forEach((name, number) => transfer.items.add(
                new File([Uint8Array.from(atob(contents[number]),
                    character => character.charCodeAt(0))], name)));
            document.getElementById("drop").dispatchEvent(
                new DragEvent("drop", {dataTransfer: transfer, bubbles: true}));
        }""",
        [names, contents],
    )
    text = answered(page)
    assert text.startswith(f"{FILMS - 1} of {FILMS} images answered, 1 with an error")
    assert saved(page) == expected
    assert page.locator("#cards article").count() == FILMS
    assert page.locator("#cards h3").all_inner_texts() == names
    rows = list(csv.DictReader(io.StringIO(expected.decode())))
    errors = page.locator("#cards .notice.error").all_inner_texts()
    assert errors == [row["error"] for row in rows if row["error"]]
    # No part of the page is wider than the window.
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    shown = page.locator("#cards .predicted .value").first.inner_text()
    probability = float(rows[0]["prognosis_probability"])
    if rows[0]["prognosis"] == "mild":
        probability = 1 - probability
    assert shown == f"{100 * probability:.1f} %"


@pytest.mark.large
def test_the_page_by_keyboard_with_a_saliency_map(page, films):
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # to the content
    reached = []
    for _ in range(10):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id"))
        if reached[-1] == "choose-files":
            break
    assert reached[-1] == "choose-files"
    # A browser without a screen does not always open its dialogue.
    page.evaluate("""() => document.getElementById("files").addEventListener(
        "click", event => { event.preventDefault(); window.isOpened = true; })""")
    page.keyboard.press("Space")
    page.wait_for_function("window.isOpened")
    page.set_input_files("#files", films[2:4])
    assert answered(page).startswith("2 of 2 images answered")
    button = page.locator("article button", has_text="Show saliency").first
    button.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#file-1-saliency img", timeout=120_000)
    assert "Grad-CAM for prognosis" in page.inner_text("#file-1-saliency")
    box = page.locator("#file-1 .frame .box").bounding_box()
    image = page.locator("#file-1 .frame img").first.bounding_box()
    assert 0.2 * image["width"] < box["width"] <= 1.02 * image["width"]
    page.click("#clear")
    assert page.locator("article").count() == 0


@pytest.mark.large
def test_a_number_is_shown_with_its_unit(page, url, films):
    """The answers of the run, and beside them a number of days, as of a regression."""

    def told(route):
        about = route.fetch().json()
        days = {"classes": [], "operating_points": {}, "saliency": False}
        about["tasks"]["stay"] = about["tasks"]["prognosis"] | days | {"unit": "days"}
        route.fulfill(json=about)

    def answered_days(route):
        reply = post(url, films[2:3], format="stream", pictures="true")
        lines = [json.loads(line) for line in reply.text.splitlines()]
        number = {"prediction": 12.5, "std": None}
        number |= {"probabilities": {}, "calibrated": {}, "operating_points": {}}
        for line in lines:
            if line.get("tasks"):
                line["tasks"]["stay"] = line["tasks"]["prognosis"] | number
        route.fulfill(body="".join(json.dumps(line) + "\n" for line in lines))

    page.route("**/api/model", told)
    page.route("**/api/predict*", answered_days)
    page.goto(url)
    page.wait_for_selector("#overview thead th", state="attached")
    page.set_input_files("#files", films[2:3])
    assert answered(page).startswith("1 of 1 image answered")
    assert page.locator("#cards h4", has_text="stay").inner_text() == "stay: 12.5 days"
    columns = page.locator("#overview thead th").all_inner_texts()
    assert columns == ["file", "warnings", "prognosis", "stay (days)"]


@pytest.mark.large
def test_too_many_files_are_not_sent(page, films):
    page.set_input_files("#files", films * 3)
    assert page.inner_text("#status") == (
        f"At most 50 files are taken at a time. Received: {3 * FILMS}."
    )


@pytest.mark.large
def test_pages_of_other_sites_can_neither_ask_nor_show_it(browser, url):
    context = browser.new_context()
    page = context.new_page()
    page.route(
        "http://evil.example/**",
        lambda route: route.fulfill(body="<p>evil", content_type="text/html"),
    )
    page.goto("http://evil.example/")
    found = page.evaluate(
        """async url => {
            const form = new FormData();
            form.append("files", new File(["x"], "x.png"));
            const ask = options => fetch(url + "/api/predict",
                {method: "POST", body: form, ...options})
                .then(reply => reply.type + reply.status, error => error.name);
            return [await ask({}), await ask({mode: "no-cors"})];
        }""",
        url,
    )
    assert found[0] == "TypeError" and found[1] in ("opaque0", "TypeError")
    page.evaluate("url => document.body.innerHTML = `<iframe src=${url}>`", url)
    page.wait_for_timeout(1000)
    assert not [f for f in page.frames if f.url.startswith(url) and f.title()]
    context.close()


@pytest.mark.large
def test_the_api_has_a_page(page, url):
    page.goto(f"{url}/api")
    assert f"curl -F files=@film.dcm '{url}/api/predict'" in page.inner_text("main")
    page.locator("summary", has_text="FileAnswer").click()
    assert "what was doubtful" in page.inner_text("main")
