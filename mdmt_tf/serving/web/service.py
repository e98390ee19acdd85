"""Answers of models to the files of requests, in the form of the API."""

import dataclasses
import io
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from mdmt_tf.errors import DataError
from mdmt_tf.saliency.predicted_files import MapsOfModel, has_weights
from mdmt_tf.serving import answers
from mdmt_tf.serving.answers import AnsweredFile
from mdmt_tf.serving.ensemble import OpenModel
from mdmt_tf.serving.prediction import Forms, answer_groups
from mdmt_tf.serving.web import pictures, schema
from mdmt_tf.serving.web.bounds import Bounds, Refused
from mdmt_tf.serving.web.description import describe, operating_points, task_of
from mdmt_tf.serving.web.desk import Job
from mdmt_tf.serving.web.items import Item, items_of, name_notes, remove_links


class Service:
    """Models that answer together, asked by one thread.

    Attributes:
        description: for clients.
        models: the models.
    """

    def __init__(self, models: Sequence[OpenModel], bounds: Bounds):
        self.models = list(models)
        self._maps: list[MapsOfModel] = []
        if all(has_weights(model) for model in models):
            self._maps = [MapsOfModel(model) for model in models]
        self.description = describe(models, self._maps, bounds)
        self._points = operating_points(models)

    def answer(self, jobs: Sequence[Job]) -> Iterator[tuple[Job, object]]:
        """See `desk.Answering`: `schema.FileAnswer` and `answers.AnsweredFile` of each
        file, or one `schema.Saliency`."""
        if jobs[0].question.task:
            (job,) = jobs
            yield job, self._saliency(job)
            return
        are_volumes = self.description.takes == "volumes"
        groups: list[list[Item]] = []
        try:
            for job in jobs:
                groups.append(items_of(job.uploads, are_volumes))
            yield from self._predictions(jobs, groups)
        finally:
            for items in groups:
                remove_links(items)

    def _predictions(self, jobs, groups) -> Iterator[tuple[Job, object]]:
        doubts: dict[Path, list[str]] = {}

        def warned(path, found):
            texts = doubts.setdefault(path, [])
            texts += [str(one) for one in found if str(one) not in texts]

        left = [list(reversed(items)) for items in groups]
        alike = [name_notes(items) for items in groups]
        wants_pictures = jobs[0].question.pictures
        for number, answer, forms in answer_groups(
            self.models,
            [[item.path for item in items] for items in groups],
            warned=warned,
            picture=pictures.SIDE if wants_pictures else 0,
        ):
            job, item = jobs[number], left[number].pop()
            if item.error:
                answer, forms = AnsweredFile(file=item.name, error=item.error), {}
            own = dataclasses.replace(
                answer, file=item.name, error=item.named(answer.error)
            )
            notes = [item.named(text) for text in doubts.pop(item.path, [])]
            notes += [text for name, text in alike[number].items() if name == item.name]
            yield job, (self._file_answer(own, forms, notes, wants_pictures), own)
            if not left[number]:
                remove_links(groups[number])
                job.close()
            if all(job.is_left for job in jobs):
                return

    def _file_answer(
        self, answer: AnsweredFile, forms: Forms, notes: list[str], wants_pictures: bool
    ) -> schema.FileAnswer:
        shown = None
        if forms and wants_pictures:
            shown = pictures.pictures_of(forms[self.models[0].preprocessing])
        return schema.FileAnswer(
            file=answer.file,
            error=answer.error,
            tasks={
                name: self._task_answer(name, one) for name, one in answer.tasks.items()
            },
            model=answer.model,
            box_source=answer.box_source,
            warnings=dict(answer.warnings),
            preparation=notes,
            pictures=shown,
        )

    def _task_answer(self, name: str, one: answers.AnsweredTask) -> schema.TaskAnswer:
        points = {
            point: schema.PointAnswer(
                threshold=threshold, positive=one.probability >= threshold
            )
            for point, threshold in self._points.get(name, {}).items()
        }
        return schema.TaskAnswer(
            prediction=one.prediction,
            probability=one.probability,
            calibrated=dict(one.calibrated),
            raw=dict(one.raw),
            std=one.std if math.isfinite(one.std) else None,
            operating_points=points,
        )

    def _saliency(self, job: Job) -> schema.Saliency:
        question = job.question
        self.check_saliency(question.task, question.methods)
        are_volumes = self.description.takes == "volumes"
        items = items_of(job.uploads, are_volumes)
        try:
            if len(items) > 1:
                raise Refused(
                    413,
                    "expected one image, or the slices of one series. Received: "
                    f"{len(items)}. Send each alone.",
                )
            return self._maps_of(items[0], question.task, question.methods)
        finally:
            remove_links(items)

    def _maps_of(self, item: Item, component: str, methods) -> schema.Saliency:
        ((_, answer, forms),) = answer_groups(
            self.models, [[item.path]], warned=lambda path, found: None
        )
        if answer.error:
            raise DataError(item.named(answer.error))
        task = task_of(self.models, component)
        found = []
        for model, maps in zip(self.models, self._maps, strict=True):
            prepared = forms[model.preprocessing]
            for one in maps.maps(prepared, task.name, methods):
                picture, is_signed, is_empty = pictures.over(one)
                found.append(
                    schema.SaliencyMap(
                        model=model.digest,
                        method=one.method,
                        explains=one.words,
                        signed=is_signed,
                        is_empty=is_empty,
                        picture=pictures.data_url(picture),
                    )
                )
        return schema.Saliency(file=item.name, task=task.name, maps=found)

    def check_saliency(self, component: str, methods: Sequence[str]) -> None:
        """Refuse a task without maps, and methods that the network does not allow."""
        if self.description.saliency_note:
            raise Refused(404, self.description.saliency_note)
        explained = [
            name for name, task in self.description.tasks.items() if task.saliency
        ]
        if component not in explained:
            text = f"no saliency maps of {component!r}. Known: {', '.join(explained)}."
            raise Refused(404, text)
        possible = self.description.saliency_methods
        for method in methods:
            if method not in possible:
                text = f"no method {method!r}. Known: {', '.join(possible)}."
                raise Refused(404, text)

    def csv(self, found: Sequence[AnsweredFile]) -> str:
        """Answers as `predict` writes them to a CSV file."""
        text = io.StringIO(newline="")
        write = answers.csv_writer(text, self.models[0].components)
        for answer in found:
            write(answer)
        return text.getvalue()
