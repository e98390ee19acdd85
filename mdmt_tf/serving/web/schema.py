"""What the API returns, as types: they make its JSON, and its OpenAPI document."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from mdmt_tf.marks import NOT_FOR

# Of an operating point.
TEST_METRICS = ("sensitivity", "specificity", "ppv", "npv")

Method = Literal["grad_cam", "guided_backpropagation", "guided_grad_cam"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Interval(_Part):
    """A number with its 95 % interval, by patient."""

    value: float
    low: float | None = None
    high: float | None = None


class OperatingPoint(_Part):
    """A threshold of the calibrated probability of the second of two classes."""

    threshold: float = Field(description="at or above it, the answer is positive")
    meaning: str = Field(description="how it was chosen, on the validation split")
    test: dict[str, Interval] = Field(
        description="sensitivity, specificity, PPV and NPV on the test split of the "
        "run; empty where they are not known"
    )


class TaskDescription(_Part):
    """What a task, or a derived answer, predicts."""

    kind: str
    classes: list[str] = Field(description="names in order; empty for a number")
    unit: str | None = Field(description="of a number; null if the data state none")
    derived_from: list[str] = Field(
        description="tasks whose answers it follows from; empty for a task"
    )
    meaningless: str | None = Field(
        description="why the answer means nothing, such as permuted training labels; "
        "null if it means something"
    )
    calibrated: bool = Field(description="whether its probabilities are calibrated")
    operating_points: dict[str, OperatingPoint]
    saliency: bool = Field(description="whether maps can be made, by /api/saliency")


class Limits(_Part):
    """How much is taken in one request."""

    files: int
    bytes: int
    pixels: int = Field(description="of an image, or of a slice")
    voxels: int = Field(description="of a volume")


class ModelDescription(_Part):
    """The models that answer, with the mean of their answers."""

    name: str
    digests: list[str] = Field(description="of the weights of each model")
    trained_on: list[str]
    preprocessing: list[str]
    takes: Literal["images", "volumes"]
    tasks: dict[str, TaskDescription]
    saliency_methods: list[Method]
    saliency_note: str = Field(description="why there are no maps; empty if there are")
    limits: Limits
    not_for: str = NOT_FOR


class PointAnswer(_Part):
    """One image at an operating point."""

    threshold: float
    positive: bool


class TaskAnswer(_Part):
    """The answer for a task, or for a label of a task with several (`task/label`)."""

    prediction: str | float = Field(description="the predicted class, or the number")
    probability: float | None = Field(
        description="calibrated probability of the second of two classes, otherwise of "
        "the predicted one; null for a number"
    )
    calibrated: dict[str, float] = Field(description="probability of each class")
    raw: dict[str, float] = Field(description="as the model was trained to give it")
    std: float | None = Field(description="over the models; null for one model")
    operating_points: dict[str, PointAnswer]


class Pictures(_Part):
    """PNG pictures as data URLs."""

    whole: str | None = Field(description="the image; null for a volume")
    box: list[float] | None = Field(
        description="top, left, bottom, right of what the model sees, as fractions of "
        "the height and the width of the image"
    )
    seen: str = Field(description="what the model sees; of a volume, some slices")


class FileAnswer(_Part):
    """The answer to a file, or to a series of slices."""

    file: str
    error: str = Field(description="why there is no answer; empty if there is one")
    tasks: dict[str, TaskAnswer]
    model: str = Field(description="digests of the models")
    box_source: str = Field(description="where the crop comes from")
    warnings: dict[str, str] = Field(
        description="code -> text: how the image is unlike the training images"
    )
    preparation: list[str] = Field(
        description="what was doubtful when the file was read and prepared"
    )
    pictures: Pictures | None = None


class Predictions(_Part):
    """The answers to the files of a request, in their order."""

    answers: list[FileAnswer]
    csv: str = Field(description="the file that mdmt_tf.predict writes")
    not_for: str = NOT_FOR


class SaliencyMap(_Part):
    """One map over what the model sees."""

    model: str = Field(description="digest of the model")
    method: Method
    explains: str = Field(description="the class, or the number")
    signed: bool = Field(
        description="whether colours tell what a brighter pixel would do to the score"
    )
    is_empty: bool = Field(description="whether the map is zero everywhere")
    picture: str = Field(description="PNG as a data URL")


class Saliency(_Part):
    """The maps of one task for one file; one for each model and method."""

    file: str
    task: str
    maps: list[SaliencyMap]
    not_for: str = NOT_FOR


class Health(_Part):
    """The server is there."""

    status: Literal["ok"] = "ok"
    requests: int = Field(description="that wait or are answered")


class Problem(_Part):
    """Why a request is not answered."""

    error: str
