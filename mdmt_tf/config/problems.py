"""All problems of the values of a configuration, in terms of the file.

pydantic does not run the rules of a section with a wrong value. Here every key is
checked separately, and then every rule whose keys are valid.
"""

import functools
import typing
from collections.abc import Iterator, Sequence

import pydantic

from mdmt_tf.config import keys, slips
from mdmt_tf.config.schema import Config
from mdmt_tf.config.section import Problem, Section, truths_for_numbers
from mdmt_tf.errors import brief

# Instead of pydantic's words for types of Python.
_WISHES = {
    "missing": "should have more entries",
    "tuple_type": "should be a list",
    "dict_type": "should be a mapping",
}

# Of a file that is no configuration at all, the suggestions are worth nothing.
_MOST_WITH_SUGGESTION = 30


def list_problems(
    values: dict,
    kind: type[Section] = Config,
    path: tuple[str, ...] = (),
    with_files: bool = True,
) -> list[Problem]:
    """Every problem of the plain values of a section, as (key, text).

    Args:
        values: values of the section.
        kind: its class; the whole configuration by default.
        path: key of the section.
        with_files: whether missing files are problems, see `rule`.
    """
    reading = _Reading()
    reading.section(kind, values, path)
    return [*reading.problems, *reading.broken_rules(with_files)]


class _Reading:
    """Collects the problems of single values, and sections of the valid values."""

    def __init__(self):
        self.problems: list[Problem] = []
        self._sections: list[tuple[tuple[str, ...], Section]] = []

    def section(self, kind: type[Section], values: dict, path) -> Section:
        """A section of the valid values; others have their default, or None."""
        allowed = keys.names_in(kind)
        known = {*allowed, *kind.model_fields}
        for name in values:
            if name not in known:
                key = (*path, name)
                # To look for what was meant takes time.
                meant = len(self.problems) < _MOST_WITH_SUGGESTION
                text = slips.unknown_key(key, allowed) if meant else ": unknown key."
                self.problems.append((key, text))
        right = {}
        for name, field in kind.model_fields.items():
            written = name if name in values else field.alias or name
            key = (*path, written)
            right[name] = None if field.is_required() else field.get_default()
            if written in values:
                before = len(self.problems)
                value = self._value(field, values[written], key)
                partly = isinstance(value, (Section, dict))
                if len(self.problems) == before or partly:
                    right[name] = value
            elif field.is_required() and not slips.has_old_name(key, values):
                self.problems.append((key, ": missing; it has no default."))
        made = kind.model_construct(**right)
        self._sections.append((path, made))
        return made

    def _value(self, field, value, path):
        section = keys.section_in(field.annotation)
        if section is not None:
            value = section.expand(value)
            if isinstance(value, dict):
                return self.section(section, value, path)
            if value is None and type(None) in typing.get_args(field.annotation):
                return None
            self._expected_section(section, value, path)
            return None
        listed = keys.section_in_list(field)
        if listed is not None:
            return self._in_list(field, listed, value, path)
        named = keys.section_under_names(field)
        if named is not None and isinstance(value, dict):
            return self._under_names(field, named, value, path)
        return self._alone(field.annotation, field.metadata, value, path)

    def _under_names(self, field, section, values, path) -> dict:
        """The entries of a mapping from names to sections that have no problem."""
        # pydantic checks the number of entries and their names.
        entries = dict[typing.get_args(field.annotation)[0], typing.Any]
        self._alone(entries, field.metadata, values, path)
        right = {}
        for name, value in values.items():
            key, before = (*path, name), len(self.problems)
            value = section.expand(value)
            if isinstance(value, dict):
                made = self.section(section, value, key)
            else:
                self._expected_section(section, value, key)
            if len(self.problems) == before:
                right[name] = made
        return right

    def _in_list(self, field, section, values, path) -> tuple:
        """The entries of a list of sections that have no problem."""
        entries = self._alone(tuple[typing.Any, ...], field.metadata, values, path)
        right = []
        for number, value in enumerate(entries or ()):
            key, before = (*path, str(number)), len(self.problems)
            value = section.expand(value)
            if isinstance(value, dict):
                made = self.section(section, value, key)
            else:
                self._expected_section(section, value, key)
            if len(self.problems) == before:
                right.append(made)
        return tuple(right)

    def _expected_section(self, section, value, path) -> None:
        allowed = ", ".join(keys.names_in(section))
        text = f" = {brief(value)}: should be a section with the keys {allowed}."
        self.problems.append((path, text))

    def _alone(self, annotation, constraints, value, path):
        """A value without sections, as pydantic converts it."""
        found = dict(_truths(annotation, constraints, value, path))
        try:
            made = _adapter(annotation, tuple(constraints)).validate_python(value)
        except pydantic.ValidationError as error:
            renamed = slips.renamed_value(path, value)
            more = [(path, renamed)] if renamed else _translate(path, value, error)
            # Of a union, pydantic lists what else the whole value might have been.
            truths = list(found)
            found |= {
                key: text
                for key, text in more
                if not any(place[: len(key)] == key for place in truths)
            }
        self.problems += found.items()
        return None if found else made

    def broken_rules(self, with_files: bool) -> Iterator[Problem]:
        """Problems of several values together, if each is valid by itself."""
        wrong = {path for path, _ in self.problems}
        above_wrong = {path[:end] for path in wrong for end in range(len(path))}

        def is_right(path: tuple[str, ...]) -> bool:
            if path in above_wrong:
                return False
            return not any(path[:end] in wrong for end in range(len(path) + 1))

        for path, section in self._sections:
            for rule in section.rules(with_files):
                needed = [(*path, *key.split(".")) for key in rule.needs] or [path]
                if all(map(is_right, needed)):
                    yield from self._broken(rule, section, path)

    def _broken(self, rule, section: Section, path) -> list[Problem]:
        try:
            return [((*path, *key), text) for key, text in rule(section)]
        except Exception:
            # A section that lacks values cannot be judged; their problems are listed.
            if self.problems:
                return []
            raise


def _truths(annotation, constraints, value, path) -> Iterator[Problem]:
    for place, wanted, truth in truths_for_numbers(annotation, value, path):
        words = keys.describe(wanted, constraints if place == path else ())
        yield (
            place,
            f" = {str(truth).lower()}: is a truth value, as YAML reads yes, no, on and "
            f"off. Expected {words}.",
        )


@functools.lru_cache(maxsize=1000)
def _adapter(annotation, constraints: tuple) -> pydantic.TypeAdapter:
    for constraint in constraints:
        annotation = typing.Annotated[annotation, constraint]
    config = pydantic.ConfigDict(allow_inf_nan=False)
    return pydantic.TypeAdapter(annotation, config=config)


def _translate(path, value, error: pydantic.ValidationError) -> list[Problem]:
    """The errors of pydantic about one value, one per location."""
    places: dict[tuple[str, ...], tuple[object, list[str]]] = {}
    for item in error.errors():
        place, current, rest = list(path), value, list(item["loc"])
        while rest and _has(current, rest[0]):
            current = current[rest[0]]
            place.append(str(rest.pop(0)))
        # The rest of the location is the member of a union that pydantic tried.
        if item["loc"][-1:] == ("[key]",):
            wish = "[key]"
        elif item["type"] in _WISHES:
            wish = _WISHES[item["type"]]
        else:
            wish = item["msg"].removeprefix("Value error, ")
            wish = (wish[0].lower() + wish[1:]).replace("input should", "should")
        places.setdefault(tuple(place), (current, []))[1].append(wish.rstrip("."))
    return [(key, _text(*found)) for key, found in places.items()]


def _text(value, wishes: Sequence[str]) -> str:
    """The problem of a value that fits no member of a union; it lists all members."""
    if "[key]" in wishes:
        return ": a name should be lower-case letters, digits and _, a letter first."
    return f" = {brief(value)}: {'; or '.join(dict.fromkeys(wishes))}."


def _has(value, step) -> bool:
    if isinstance(value, dict):
        return step in value
    return isinstance(value, list) and isinstance(step, int) and step < len(value)
