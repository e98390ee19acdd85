"""The base of all sections of a configuration: rules, types of values."""

import types
import typing
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import pydantic
from pydantic import Field

from mdmt_tf.errors import nearest
from mdmt_tf.models.backbones.table import BACKBONES

# A key, and what is wrong with it.
Problem = tuple[tuple[str, ...], str]

# json_schema_extra of the field of a key on which no weight and no prediction of a fit
# depends.
NO_RESULT = {"changes_result": False}


def younger(as_before: Any) -> dict:
    """json_schema_extra of the field of a key that came after the first benchmarks.

    Without it, a new key with any default makes all finished fits another experiment.

    Args:
        as_before: the plain value that means what was done before the key came. At this
            value the key is no part of a fit's identity, so old results stay valid.
    """
    return {"as_before": as_before}


def rule(*keys: str, of_files: bool = False) -> Callable:
    """Mark a method of a section as a rule about several of its values.

    The method yields the problems that it finds, each as (key, text). The key is
    relative to the section. The text continues the key: " = 3: should be ...".

    Args:
        keys: `key.path`, below the section, of the keys that the rule reads. The rule
            is skipped when one of them has a problem of its own, so that a mistake is
            reported once. None: all keys of the section. A rule may read other keys
            only if it can do without them, because wrong entries of a mapping are left
            out.
        of_files: whether the rule is about files that only a new run reads. It does not
            hold for the stored settings of a run, whose files may be gone.
    """

    def mark(method: Callable) -> Callable:
        method.needs, method.of_files = keys, of_files
        return method

    return mark


class Section(pydantic.BaseModel):
    """Base of all sections: unknown keys are errors, and values are immutable."""

    model_config = pydantic.ConfigDict(
        extra="forbid", frozen=True, populate_by_name=True, allow_inf_nan=False
    )

    @classmethod
    def rules(cls, with_files: bool = True) -> list[Callable]:
        """The methods marked with `rule`, its own first, in their order.

        Args:
            with_files: whether to include those marked with `of_files`.
        """
        methods = [method for owner in cls.__mro__ for method in vars(owner).values()]
        marked = [method for method in methods if hasattr(method, "needs")]
        return [method for method in marked if with_files or not method.of_files]

    def of_result(self) -> dict:
        """Its plain values on which the result of a fit depends.

        Those of keys that are marked with `NO_RESULT` are left out, and those of keys
        that are marked with `younger` where nothing is new.
        """
        plain = self.model_dump(mode="json", by_alias=True)
        result = {}
        for name, field in type(self).model_fields.items():
            marks, key = field.json_schema_extra or {}, field.alias or name
            as_before = "as_before" in marks and plain[key] == marks["as_before"]
            if marks != NO_RESULT and not as_before:
                result[key] = _of_result(getattr(self, name), plain[key])
        return result

    @classmethod
    def expand(cls, value: Any) -> Any:
        """The keys of a value that has a short form, such as a text alone."""
        return value

    @pydantic.model_validator(mode="wrap")
    @classmethod
    def _expand(cls, value, handler):
        value = cls.expand(value)
        for name, field in cls.model_fields.items() if isinstance(value, dict) else ():
            written = value.get(name, value.get(field.alias))
            for path, *_ in truths_for_numbers(field.annotation, written, (name,)):
                raise ValueError(f"{'.'.join(path)}: is a truth value, not a number")
        return handler(value)

    @pydantic.model_validator(mode="after")
    def _follow_rules(self, info: pydantic.ValidationInfo):
        rules = self.rules(**(info.context or {}))
        problems = [problem for method in rules for problem in method(self)]
        if problems:
            texts = [f"{'.'.join(key)}{text}" for key, text in problems]
            raise ValueError("; ".join(texts))
        return self


def _of_result(value, plain):
    """The plain value, without what changes no result in sections within it."""
    if isinstance(value, Section):
        return value.of_result()
    if isinstance(value, dict):
        return {name: _of_result(value[name], plain[name]) for name in value}
    if isinstance(value, tuple):
        return [_of_result(*pair) for pair in zip(value, plain, strict=True)]
    return plain


def members_of(annotation) -> tuple:
    """The types of a union; a tuple of the type itself if it is none."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return typing.get_args(annotation)
    return (annotation,)


def truths_for_numbers(
    annotation, value, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any, bool]]:
    """Where a truth value stands in the place of a number.

    YAML reads `yes` and `on` as true, and pydantic takes true as 1.

    Args:
        annotation: the type of a key.
        value: its plain value.
        path: of the key.
    Yields: the path of the place, its type, and the truth value.

    Example:
        >>> list(truths_for_numbers(dict[str, float], {"a": 1, "b": True}))
        [(('b',), <class 'float'>, True)]
    """
    members = [_bare(member) for member in members_of(annotation)]
    if isinstance(value, bool):
        if not {bool, Any}.intersection(members) and {int, float}.intersection(members):
            yield path, annotation, value
        return
    for member in members:
        kind, inner = typing.get_origin(member), typing.get_args(member)
        if kind is tuple and isinstance(value, (list, tuple)):
            # A list has entries of one type; those of a fixed number are alike, too.
            for number, entry in enumerate(value):
                yield from truths_for_numbers(inner[0], entry, (*path, str(number)))
        if kind is dict and isinstance(value, dict):
            for name, entry in value.items():
                yield from truths_for_numbers(inner[1], entry, (*path, str(name)))


def _bare(annotation):
    """A type without its constraints."""
    while typing.get_origin(annotation) is Annotated:
        annotation = typing.get_args(annotation)[0]
    return annotation


def not_one_of(
    name: str, known: list[str], what: str, key: tuple[str, ...]
) -> Iterator[Problem]:
    """A problem unless `name` is known.

    Args:
        what: the kind of the known names, such as "tasks".
        key: the key that has the name.
    """
    if name not in known:
        yield (
            key,
            f": {name!r} is not one of the {what}.{nearest(name, known)} "
            f"{what.capitalize()}: {', '.join(known)}.",
        )


def _backbone(name: str) -> str:
    if name not in BACKBONES:
        known = sorted(BACKBONES)
        raise ValueError(
            f"is not a backbone.{nearest(name, known)} Known: {', '.join(known)}"
        )
    return name


# A name is an output of the model, a column of tables, a folder, a part of file names
# and of metric names such as `prognosis/auc`.
NAME_PATTERN = r"^[a-z][a-z0-9_]*$"
Name = Annotated[str, Field(pattern=NAME_PATTERN)]
IS_BACKBONE = pydantic.AfterValidator(_backbone)
BackboneName = Annotated[str, IS_BACKBONE]
Probability = Annotated[float, Field(ge=0, le=1)]
Fraction = Annotated[float, Field(gt=0, lt=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Patients = Annotated[int, Field(ge=0, le=100_000)]
Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]
Side = Annotated[int, Field(ge=32, le=4096)]  # of an image, in pixels
Length = Annotated[int, Field(ge=8, le=1024)]  # of a volume along one axis, in voxels
