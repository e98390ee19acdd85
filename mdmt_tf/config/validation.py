"""Every value against its type and range, reported in the words of the file."""

import contextlib
import types
import typing
from collections.abc import Iterator, Sequence

import pydantic

from mdmt_tf.config.schema import Config
from mdmt_tf.errors import nearest

# The key it is about, and what is wrong with it.
Problem = tuple[tuple[str, ...], str]


def check_values(values: dict) -> tuple[dict, list[Problem]]:
    """Each top-level key by itself, so that one wrong section hides no other.

    Args:
        values: the plain values of a configuration.
    Returns:
        sections: the values of the keys as the schema has them. What is wrong in a
            section is left out of it, so that checks of several sections can still
            run; where nothing is left it is missing or None. "incomplete": the set of
            their names.
        problems: everything found.
    """
    sections, problems = {"incomplete": set()}, []
    fields = Config.model_fields
    for key in values:
        if key not in fields:
            problems.append(((key,), _unknown_key(key, list(fields))))
    for key, field in fields.items():
        if key in values:
            adapter = pydantic.TypeAdapter(typing.Annotated[field.annotation, field])
            value = values[key]
            try:
                sections[key] = adapter.validate_python(value)
            except pydantic.ValidationError as error:
                found = _translate(key, value, field.annotation, error)
                problems += found
                sections["incomplete"].add(key)
                wrong = [path[1:] for path, _ in found]
                if all(wrong):
                    sections[key] = _keep_the_rest(adapter, value, wrong)
        elif field.is_required():
            problems.append(((key,), ": missing; it has no default."))
        else:
            sections[key] = field.get_default()
    return sections, problems


def _keep_the_rest(adapter: pydantic.TypeAdapter, value, wrong: list[tuple]):
    """The section without its wrong entries; None when it cannot be without them."""
    for _ in range(max(map(len, wrong))):
        with contextlib.suppress(pydantic.ValidationError):
            return adapter.validate_python(_without(value, wrong))
        # An entry that was required: do without the one that it belongs to.
        wrong = [path[:-1] or path for path in wrong]
    return None


def _without(value, paths: list[tuple[str, ...]]):
    """A copy of nested dicts that lacks the entries at `paths`."""
    if not isinstance(value, dict):
        return value
    result = {}
    for key, item in value.items():
        below = [path[1:] for path in paths if path and path[0] == key]
        if () not in below:
            result[key] = _without(item, below)
    return result


def _translate(key, value, annotation, error) -> list[Problem]:
    """pydantic's findings in the words of the file, one a place."""
    problems: dict[tuple[str, ...], list[str]] = {}
    for item in error.errors():
        path, current, rest = [key], value, list(item["loc"])
        while rest and _has(current, rest[0]):
            current = current[rest[0]]
            path.append(str(rest.pop(0)))
        # What is left of the location: a key that is not there, or the member of a
        # union that pydantic tried, which is none of the user's concern.
        if item["type"] == "extra_forbidden":
            section = _section_at(annotation, path[1:-1])
            text = _unknown_key(path[-1], _keys_of(section))
        elif item["type"] == "missing" and isinstance(current, dict):
            path.append(str(rest[0]))
            text = ": missing; it has no default."
        elif item["type"] == "missing":
            text = f" = {current!r}: should have more entries."
        elif rest[-1:] == ["[key]"] or item["loc"][-1:] == ("[key]",):
            text = (
                ": a name should be lower-case letters, digits and _, a letter first."
            )
        else:
            text = f" = {current!r}: {_requirement(item)}."
        problems.setdefault(tuple(path), []).append(text)
    return [(path, _either(texts)) for path, texts in problems.items()]


def _has(value, step) -> bool:
    if isinstance(value, dict):
        return step in value
    return isinstance(value, list) and isinstance(step, int) and step < len(value)


def _requirement(item: dict) -> str:
    message = item["msg"][0].lower() + item["msg"][1:]
    return message.replace("input should", "should").rstrip(".")


def _either(texts: list[str]) -> str:
    """A value that fits no member of a union: name all members."""
    head = texts[0].split(": ", 1)[0]
    wishes = dict.fromkeys(text.split(": ", 1)[1].rstrip(".") for text in texts)
    return f"{head}: {'; or '.join(wishes)}."


def _keys_of(section: type[pydantic.BaseModel]) -> list[str]:
    return [field.alias or name for name, field in section.model_fields.items()]


def _section_at(annotation, path: Sequence[str]):
    for step in path:
        annotation = _descend(annotation, step)
    return next(iter(_sections_in(annotation)), None)


def _sections_in(annotation) -> Iterator[type[pydantic.BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        yield annotation
    elif typing.get_origin(annotation) in (typing.Union, types.UnionType):
        for member in typing.get_args(annotation):
            yield from _sections_in(member)


def _descend(annotation, step):
    for section in _sections_in(annotation):
        for name, field in section.model_fields.items():
            if step in (name, field.alias):
                return field.annotation
    if typing.get_origin(annotation) is dict:
        return typing.get_args(annotation)[1]
    return None


def _unknown_key(key: str, known: list[str]) -> str:
    return f": unknown key.{nearest(key, known)} Allowed: {', '.join(known)}."
