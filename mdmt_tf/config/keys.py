"""Every key of a configuration: its values, its default and its meaning.

The keys are read from the schema, for the reference page, the command line and
suggestions.
"""

import dataclasses
import enum
import functools
import typing
from collections.abc import Iterator, Sequence

from pydantic.fields import FieldInfo

from mdmt_tf.config.schema import Config
from mdmt_tf.config.section import IS_BACKBONE, NAME_PATTERN, Section, members_of

# Placeholders in full keys: a name that the user chooses, as in tasks.NAME.kind, and
# the number of an entry of a list.
NAME = "NAME"
ITEM = "N"


@dataclasses.dataclass(frozen=True)
class Key:
    """One key.

    Attributes:
        path: sections and names; `NAME` for a name that the user chooses, `ITEM` for
            the number of an entry of a list.
        owner: the section class that declares it.
        values: the allowed values, in words.
        default: as in YAML; "required" if there is none.
        description: its meaning.
        section: the section class that it holds, directly, under names or in a list;
            or None.
    """

    path: tuple[str, ...]
    owner: type[Section]
    values: str
    default: str
    description: str
    section: type[Section] | None

    @property
    def name(self) -> str:
        return self.path[-1]

    @property
    def full(self) -> str:
        return ".".join(self.path)


@functools.cache
def all_keys() -> tuple[Key, ...]:
    """All keys in the order of the schema; a section is followed by its keys."""
    return tuple(_keys_of(Config, ()))


def _keys_of(owner: type[Section], path: tuple[str, ...]) -> Iterator[Key]:
    for name, field in owner.model_fields.items():
        key = (*path, field.alias or name)
        section, named = section_in(field.annotation), section_under_names(field)
        listed = section_in_list(field)
        yield Key(
            key,
            owner,
            describe(field.annotation, field.metadata),
            _default(field),
            field.description or "",
            section or named or listed,
        )
        if section is not None:
            yield from _keys_of(section, key)
        elif named is not None:
            yield from _keys_of(named, (*key, NAME))
        elif listed is not None:
            yield from _keys_of(listed, (*key, ITEM))


def names_in(section: type[Section]) -> list[str]:
    """The keys of a section as they are written in YAML."""
    return [field.alias or name for name, field in section.model_fields.items()]


def names_below(path: Sequence[str]) -> list[str]:
    """The keys of the section at a path such as tasks.prognosis; [] if none."""
    return [
        key.name
        for key in all_keys()
        if len(key.path) == len(path) + 1
        and all(
            own in (step, NAME, ITEM) for own, step in zip(key.path, path, strict=False)
        )
    ]


def section_in(annotation) -> type[Section] | None:
    """The section that a key holds, if it holds one: `Section`, `Section | None`."""
    for member in members_of(annotation):
        if isinstance(member, type) and issubclass(member, Section):
            return member
    return None


def section_under_names(field: FieldInfo) -> type[Section] | None:
    """The section under each name of a key, if the key holds such a mapping."""
    if typing.get_origin(field.annotation) is dict:
        return section_in(typing.get_args(field.annotation)[1])
    return None


def section_in_list(field: FieldInfo) -> type[Section] | None:
    """The section of each entry of a key, if the key holds a list of sections."""
    if typing.get_origin(field.annotation) is tuple:
        return section_in(typing.get_args(field.annotation)[0])
    return None


def describe(annotation, metadata=()) -> str:
    """The allowed values of a type, in words."""
    if typing.get_origin(annotation) is typing.Annotated:
        inner, *more = typing.get_args(annotation)
        found = list(metadata)
        for fact in more:
            # A `Field` keeps its constraints in a list of its own.
            found += fact.metadata if isinstance(fact, FieldInfo) else [fact]
        return describe(inner, found)
    members = members_of(annotation)
    if len(members) > 1:
        texts = [describe(member, metadata) for member in members]
        return " or ".join(dict.fromkeys(texts))
    if annotation is type(None):
        return "null"
    if typing.get_origin(annotation) is typing.Literal:
        return " or ".join(map(str, typing.get_args(annotation)))
    if typing.get_origin(annotation) is tuple:
        items = typing.get_args(annotation)
        if items[-1] is Ellipsis:
            return f"list of {describe(items[0])}"
        return f"list of {len(items)}: {describe(items[0])}"
    if typing.get_origin(annotation) is dict:
        return f"mapping from name to {describe(typing.get_args(annotation)[1])}"
    if issubclass(annotation, Section):
        return "section"
    if issubclass(annotation, enum.Enum):
        return " or ".join(member.value for member in annotation)
    if IS_BACKBONE in metadata:
        return "name of a backbone"
    if NAME_PATTERN in [getattr(fact, "pattern", None) for fact in metadata]:
        return "name"
    words = {bool: "true or false", int: "integer", float: "number", str: "text"}
    return words.get(annotation, "any value") + _range(metadata)


def _range(metadata) -> str:
    """The limits of a number, as in " from 0 to 1" or " above 0, below 10"."""
    limits = {}
    for fact in metadata:
        for name in ("ge", "gt", "le", "lt"):
            if hasattr(fact, name):
                limits[name] = getattr(fact, name)
    if "ge" in limits and "le" in limits:
        return f" from {limits['ge']} to {limits['le']}"
    words = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    texts = [f"{words[name]} {limit}" for name, limit in limits.items()]
    return f" {', '.join(texts)}" if texts else ""


def _default(field: FieldInfo) -> str:
    return "required" if field.is_required() else _plain(field.get_default())


def _plain(value) -> str:
    """A value as it is written in YAML."""
    if isinstance(value, Section):
        return "{}"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple):
        return f"[{', '.join(map(_plain, value))}]"
    return str(value)
