"""The API, of a model that answers the mean grey value."""

import json
import os

import cv2
import nibabel
import numpy as np
import pytest
from made_series import make_slices, write_slices
from mean_models import Means, films, model

from mdmt_tf.serving import prediction
from mdmt_tf.serving.web import app, schema, service, uploads
from mdmt_tf.serving.web.bounds import Bounds
from mdmt_tf.serving.web.service import Service


def post(path, *files, **options):
    return ("POST", path, {"files": [("files", file) for file in files], **options})


def png(grey, size=16):
    pixels = np.full((size, size), grey, np.uint8)
    pixels[: size // 2, : size // 2] = 0
    return cv2.imencode(".png", pixels)[1].tobytes()


def test_answers_are_those_of_predict_to_the_byte(ask, means, tmp_path):
    """Also of files that cannot be read, and of names that are formulas."""
    folder = films(tmp_path / "films", *range(40, 240, 10))
    (folder / "f003.png").write_bytes(b"no image")
    (folder / "f007.png").write_bytes((folder / "f008.png").read_bytes()[:100])
    (folder / "f009.png").rename(folder / "=f009 <b>.png")
    files = sorted(folder.iterdir())
    out = tmp_path / "answers.csv"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        prediction.predict_files([means], [path.name for path in files], out)
    uploads = [(path.name, path.read_bytes()) for path in files]
    csv, plain, stream = ask(
        post("/api/predict?format=csv", *uploads),
        post("/api/predict", *uploads),
        post("/api/predict?format=stream&pictures=true", *uploads),
    )
    assert csv.content == out.read_bytes()
    assert csv.headers["content-type"].startswith("text/csv")
    assert plain.json()["csv"].encode() == out.read_bytes()
    *answers, last = map(json.loads, stream.text.splitlines())
    assert last["csv"].encode() == out.read_bytes()
    for one in answers:
        schema.FileAnswer.model_validate(one)
        del one["pictures"]
    for one in plain.json()["answers"]:
        del one["pictures"]
        assert one == answers.pop(0)
    assert "f003.png" in csv.text and "/proc/" not in csv.text


def test_an_answer_at_operating_points(ask):
    """0.75 * 102 / 255 = 0.3, and its square root 0.548 is above 0.5 and 0.25."""
    (reply,) = ask(post("/api/predict", ("a.png", png(102))))
    (answer,) = schema.Predictions.model_validate(reply.json()).answers
    outcome = answer.tasks["outcome"]
    assert outcome.calibrated["severe"] == pytest.approx(0.3**0.5)
    assert outcome.raw["severe"] == pytest.approx(0.3)
    assert {n: p.positive for n, p in outcome.operating_points.items()} == {
        "youden": True,
        "sensitivity_90": True,
    }
    (reply,) = ask(post("/api/predict", ("a.png", png(51))))
    outcome = (
        schema.Predictions.model_validate(reply.json()).answers[0].tasks["outcome"]
    )
    # The square root of 0.15 is 0.387.
    assert [p.positive for p in outcome.operating_points.values()] == [False, True]
    assert answer.tasks["stay"].prediction == pytest.approx(3.0)


def test_warnings_of_the_image_and_of_its_preparation(ask):
    """A few white pixels of 16 bits in an image of 10 bits, smaller than the input."""
    pixels = np.full((64, 64), 700, np.uint16)
    pixels[:32] = 300
    pixels[0, 0] = 65535
    data = cv2.imencode(".png", pixels)[1].tobytes()
    own = Service([model(Means(), "full_8", (200, 200))], Bounds())
    (reply,) = ask(post("/api/predict", ("Jane Miller.png", data)), service=own)
    (answer,) = schema.Predictions.model_validate(reply.json()).answers
    assert set(answer.warnings) == {"small"}
    assert [text[:17] for text in answer.preparation] == ["Jane Miller.png: "] * 2
    assert "would fit 10 bits" in answer.preparation[0]


@pytest.mark.large
def test_answers_for_volumes_are_those_of_predict_to_the_byte(ask, tmp_path):
    """A NIfTI file, a folder with a series, a series of another modality, no volume."""
    hu = np.full((6, 12, 12), 15)
    hu[:, :6] = 100
    image = nibabel.Nifti1Image(hu.astype(np.float32).T, np.diag([-2.0, -2, 5, 1]))
    nibabel.save(image, tmp_path / "a.nii.gz")
    write_slices(tmp_path / "ct", make_slices(hu))
    write_slices(tmp_path / "mr", make_slices(hu, Modality="MR", series="1.9"))
    (tmp_path / "z.nii").write_bytes(b"none")
    own = model(Means(), "head_6x12x12", size=(6, 12, 12))
    names = ["a.nii.gz", "ct", "mr", "z.nii"]
    out = tmp_path / "answers.csv"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        prediction.predict_files([own], names, out)
    paths = [
        path
        for name in names
        for path in sorted((tmp_path / name).glob("*")) or [tmp_path / name]
    ]
    uploads = [(str(path.relative_to(tmp_path)), path.read_bytes()) for path in paths]
    before = set(os.listdir("/dev/shm"))
    csv, plain = ask(
        post("/api/predict?format=csv", *uploads),
        post("/api/predict?pictures=true", *uploads),
        service=Service([own], Bounds()),
    )
    assert csv.content == out.read_bytes()
    found = schema.Predictions.model_validate(plain.json()).answers
    assert [one.file for one in found] == names
    assert [bool(one.error) for one in found] == [False, False, True, True]
    assert found[0].pictures.whole is None and found[0].pictures.box is None
    assert set(os.listdir("/dev/shm")) == before


def test_files_of_the_page_are_served(ask):
    for name, kind in app.STATIC.items():
        (reply,) = ask(("GET", f"/static/{name}", {}))
        assert reply.headers["content-type"].startswith(kind) and reply.content


def test_pictures_are_a_boolean(ask):
    words = ["True", "true", "1", "False", "false", "0", "yes", ""]
    film = ("a.png", png(100))
    replies = ask(*(post(f"/api/predict?pictures={word}", film) for word in words))
    *good, wrong, empty = replies
    pictures = [bool(reply.json()["answers"][0]["pictures"]) for reply in good]
    assert pictures == [True] * 3 + [False] * 3
    for reply in (wrong, empty):
        assert reply.status_code == 400
        text = reply.json()["error"]
        assert text == "pictures: expected one of true, 1, false, 0."


def test_what_is_wrong_is_said(ask):
    own = Bounds(files=2, request_bytes=50_000)
    film = ("a.png", png(100))
    replies = ask(
        post("/api/predict?format=xml", film),
        post("/api/predict", film, film, film),
        post("/api/predict", ("a.png", b"0" * 60_000)),
        ("POST", "/api/predict", {"json": {}}),
        ("POST", "/api/predict", {"content": _pieces()}),
        post("/api/saliency?task=outcome", film),
        ("GET", "/api/predict", {}),
        ("GET", "/nothing", {}),
        ("GET", "/static/../app.py", {}),
        bounds=own,
    )
    statuses = [reply.status_code for reply in replies]
    assert statuses == [400, 413, 413, 415, 411, 404, 405, 404, 404]
    for reply in replies:
        assert schema.Problem.model_validate(reply.json()).error
    assert "Saliency maps are not available" in replies[5].json()["error"]


async def _pieces():
    yield b"abc"


def test_more_requests_than_there_is_room_for_are_told_when_to_come(ask):
    own = Bounds(requests=5)
    requests = [post("/api/predict", ("a.png", png(100)))] * 30
    replies = ask(*requests, bounds=own)
    full = [reply for reply in replies if reply.status_code == 503]
    good = [reply for reply in replies if reply.status_code == 200]
    assert len(full) + len(good) == 30 and len(good) >= 5 and full
    assert all(int(reply.headers["retry-after"]) >= 1 for reply in full)
    assert len({reply.text for reply in good}) == 1


@pytest.mark.large
def test_a_hundred_requests_at_a_time_each_get_their_own_answer(ask):
    greys = range(100, 200)
    requests = [post("/api/predict", (f"{g}.png", png(g))) for g in greys]
    for grey, reply in zip(greys, ask(*requests), strict=True):
        (answer,) = reply.json()["answers"]
        assert answer["file"] == f"{grey}.png"
        stay = answer["tasks"]["stay"]["prediction"]
        assert stay == pytest.approx(10 * 0.75 * grey / 255)


def test_files_are_closed_when_they_are_answered_or_refused(ask, monkeypatch):
    opened = []
    original = uploads.open_memory_file
    monkeypatch.setattr(
        uploads, "open_memory_file", lambda: opened.append(original()) or opened[-1]
    )
    film, own = ("a.png", png(100)), Bounds(files=2)
    ask(
        post("/api/predict", film, ("b.png", b"no image")),
        post("/api/predict", film, film, film),
        post("/api/predict?format=stream", film),
        bounds=own,
    )
    assert len(opened) == 5 and all(file.closed for file in opened)


def test_faults_are_logged_without_what_they_say(ask, caplog, monkeypatch):
    name = f"Jane {len('Miller')}"

    def fail(*args, **options):
        raise ValueError(name)

    monkeypatch.setattr(service, "answer_groups", fail)
    (reply,) = ask(post("/api/predict", (name, png(100))))
    assert reply.status_code == 500
    assert schema.Problem.model_validate(reply.json()).error
    assert name not in reply.text and name not in caplog.text
    assert "ValueError" in caplog.text and "in fail" in caplog.text
    assert reply.headers["x-content-type-options"] == "nosniff"


def test_names_of_files_are_in_no_log(ask, caplog):
    caplog.set_level("DEBUG")
    replies = ask(
        post("/api/predict", ("Jane Miller.png", b"no image")),
        post("/api/predict", ("Jane Miller.png", png(100))),
    )
    assert "Jane Miller" in replies[0].text
    assert "Jane" not in caplog.text
