"""The OpenAPI document of the API, made from the types of its answers."""

from pydantic.json_schema import models_json_schema

import mdmt_tf
from mdmt_tf.marks import NOT_FOR_SENTENCE
from mdmt_tf.serving.web import schema

VERSION = "3.1.0"
_FILES = {
    "multipart/form-data": {
        "schema": {
            "type": "object",
            "required": ["files"],
            "properties": {
                "files": {
                    "type": "array",
                    "items": {"type": "string", "format": "binary"},
                    "description": "DICOM, PNG, JPEG or TIFF files; for a model of "
                    "volumes, NIfTI files and the DICOM files of series",
                }
            },
        }
    }
}
_ERRORS = {
    "400": "the form is damaged, holds no file, or a file cannot be read",
    "403": "the request comes from a page of another site, or under another name",
    "404": "there is no such task, method, page, or no saliency map",
    "408": "the request stopped in the middle",
    "411": "the request does not say how long it is (Content-Length)",
    "413": "the request is too large, or has too many files",
    "415": "the request is not a form with files",
    "503": "too many requests wait; the header Retry-After says when to come again",
}
_OF_FILES = ("400", "403", "408", "411", "413", "415", "503")


def document() -> dict:
    """The document, as plain values."""
    _, definitions = models_json_schema(
        [
            (kind, "serialization")
            for kind in (
                schema.Health,
                schema.ModelDescription,
                schema.Predictions,
                schema.Problem,
                schema.Saliency,
            )
        ],
        ref_template="#/components/schemas/{model}",
    )
    return {
        "openapi": VERSION,
        "info": {
            "title": "mdmt_tf",
            "version": mdmt_tf.__version__,
            "description": f"Answers of a trained model to files. {NOT_FOR_SENTENCE} "
            "No file is stored. Requests of other sites' pages are refused.",
        },
        "paths": {
            "/api/predict": {"post": _predict()},
            "/api/saliency": {"post": _saliency()},
            "/api/model": {
                "get": _get("The models, their tasks, and limits", "ModelDescription")
            },
            "/health": {"get": _get("Whether the server is there", "Health")},
        },
        "components": {"schemas": definitions["$defs"]},
    }


def _predict() -> dict:
    stream = (
        "json: all answers at once. csv: the file that mdmt_tf.predict writes, to "
        "the byte. stream: JSON lines, one FileAnswer each as soon as it is there, and "
        "last an object with the field csv"
    )
    answer = {
        "description": "The answers, in the order of the files. A file that cannot be "
        "read has an error in its answer",
        "content": {
            "application/json": {"schema": _reference("Predictions")},
            "text/csv": {"schema": {"type": "string"}},
            "application/x-ndjson": {"schema": _reference("FileAnswer")},
        },
    }
    return {
        "summary": "Predict files",
        "operationId": "predict",
        "parameters": [
            _query("format", {"enum": ["json", "csv", "stream"]}, "json", stream),
            _query(
                "pictures",
                {"type": "boolean"},
                False,
                "whether the answers hold pictures of the files",
            ),
        ],
        "requestBody": {"required": True, "content": _FILES},
        "responses": {"200": answer} | _errors(_OF_FILES),
    }


def _saliency() -> dict:
    methods = list(schema.Method.__args__)
    task = _query("task", {"type": "string"}, None, "a task of /api/model")
    task["required"] = True
    return {
        "summary": "Saliency maps of one task for one file",
        "operationId": "saliency",
        "parameters": [
            task,
            _query("method", {"enum": methods}, methods[0], "how they are made"),
        ],
        "requestBody": {"required": True, "content": _FILES},
        "responses": {"200": _json("The maps", "Saliency")}
        | _errors(sorted({*_OF_FILES, "404"})),
    }


def _get(summary: str, name: str) -> dict:
    return {
        "summary": summary,
        "operationId": summary.split(",")[0].lower().replace(" ", "_"),
        "responses": {"200": _json(summary, name)} | _errors(["403"]),
    }


def _query(name: str, kind: dict, default, text: str) -> dict:
    default = {} if default is None else {"default": default}
    return {
        "name": name,
        "in": "query",
        "schema": kind | default,
        "description": text,
    }


def _json(text: str, name: str) -> dict:
    content = {"application/json": {"schema": _reference(name)}}
    return {"description": text, "content": content}


def _errors(statuses) -> dict:
    return {status: _json(_ERRORS[status], "Problem") for status in statuses}


def _reference(name: str) -> dict:
    return {"$ref": f"#/components/schemas/{name}"}
