"""A service of a run that was trained on phantoms, with its saliency maps."""

import asyncio
import dataclasses
from pathlib import Path

import numpy as np
import pytest
from mean_models import Means, model

from mdmt_tf.serving.web import service
from mdmt_tf.serving.web.bounds import Bounds, Refused
from mdmt_tf.serving.web.desk import Job, Question
from mdmt_tf.serving.web.items import Item, items_of
from mdmt_tf.serving.web.service import Service

# Names and grey values of films, two of one name.
FILMS = (("x.png", 50), ("y.png", 100), ("x.png", 200))


class Explained:
    """Maps with one bright pixel, of a task `outcome`."""

    class explainer:
        answers = {"outcome": None}

    methods = ("grad_cam",)

    def maps(self, prepared, answer, methods):
        from mdmt_tf.saliency.samples import Map

        saliency = np.zeros(prepared.image.shape[:-1], np.float32)
        saliency[2, 3] = 1
        for method in methods:
            yield Map(
                task=answer,
                method=method,
                image=prepared.image,
                saliency=saliency,
                words="severe",
                facts={},
            )


@pytest.fixture
def explaining(monkeypatch):
    monkeypatch.setattr(service, "has_weights", lambda model: True)
    monkeypatch.setattr(service, "MapsOfModel", lambda model: Explained())
    return Service([model(Means()), model(Means(power=2), digest="e")], Bounds())


def test_an_item_with_an_error_has_no_answer(explaining, ask, monkeypatch):
    def marked(uploads, are_volumes):
        first, second = items_of(uploads, are_volumes)
        return [dataclasses.replace(first, error="a.png: a part"), second]

    monkeypatch.setattr(service, "items_of", marked)
    films = {"files": [("files", (name, png())) for name in ("a.png", "b.png")]}
    (reply,) = ask(("POST", "/api/predict", films), service=explaining)
    part, whole = reply.json()["answers"]
    assert (part["file"], part["error"]) == ("a.png", "a.png: a part")
    assert not part["tasks"] and whole["tasks"] and not whole["error"]


def test_files_of_one_name_are_told_apart_by_their_order(means, ask):
    films = [("files", (name, png(grey))) for name, grey in FILMS]
    others = [("files", ("x.png", png()))]
    reply, alone = ask(
        ("POST", "/api/predict", {"files": films}),
        ("POST", "/api/predict", {"files": others}),
    )
    found = reply.json()["answers"]
    note = "2 files are called x.png; the answers are in the order sent"
    assert [note in one["preparation"] for one in found] == [True, False, True]
    assert [one["file"] for one in found] == ["x.png", "y.png", "x.png"]
    # The brighter one was sent last.
    first, _, last = (one["tasks"]["outcome"]["probability"] for one in found)
    assert first < last
    # Another request at the same time is none of its files.
    assert note not in alone.json()["answers"][0]["preparation"]


def test_a_map_of_each_model(explaining, ask):
    film = {"files": [("files", ("a.png", png()))]}
    reply, other, wrong, two, damaged = ask(
        ("POST", "/api/saliency?task=outcome", film),
        ("POST", "/api/saliency?task=stay", film),
        ("POST", "/api/saliency?task=outcome&method=guided_grad_cam", film),
        ("POST", "/api/saliency?task=outcome", {"files": film["files"] * 2}),
        ("POST", "/api/saliency?task=outcome", {"files": [("files", ("b", b"x"))]}),
        service=explaining,
    )
    found = reply.json()
    assert [one["model"] for one in found["maps"]] == ["d", "e"]
    assert found["file"] == "a.png" and found["maps"][0]["explains"] == "severe"
    assert not found["maps"][0]["is_empty"]
    statuses = [one.status_code for one in (other, wrong, two, damaged)]
    assert statuses == [404, 404, 413, 400]
    assert "Known: outcome" in other.json()["error"]
    assert "Known: grad_cam" in wrong.json()["error"]
    assert damaged.json()["error"].startswith("b: expected a DICOM")


def test_a_model_without_its_run_has_no_maps(means):
    own = Service([means], Bounds())
    with pytest.raises(Refused, match="Serve the folder of the run"):
        own.check_saliency("outcome", ["grad_cam"])


def test_pictures_only_where_they_are_wanted(means, ask):
    film = {"files": [("files", ("a.png", png()))]}
    without, within = ask(
        ("POST", "/api/predict", film), ("POST", "/api/predict?pictures=true", film)
    )
    assert without.json()["answers"][0]["pictures"] is None
    found = within.json()["answers"][0]["pictures"]
    assert found["box"] == [0.0, 0.0, 1.0, 1.0]
    assert found["whole"].startswith("data:image/png") and found["seen"]


def test_what_a_client_that_has_gone_wanted_is_left(means, monkeypatch):
    own = Service([means], Bounds())

    async def main():
        job = Job(Question(), [])
        job.is_left = True
        files = [Item(name, Path("/nothing")) for name in "ab"]
        monkeypatch.setattr(service, "items_of", lambda uploads, are_volumes: files)
        return list(own.answer([job]))

    assert len(asyncio.run(main())) == 1


def png(grey=100):
    import cv2

    pixels = np.full((16, 16), grey, np.uint8)
    pixels[:8] = 0
    return cv2.imencode(".png", pixels)[1].tobytes()
