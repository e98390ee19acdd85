"""Plain values of a YAML text, with the line of each key, within limits.

The texts come from anywhere, so none of them may end in a traceback, a hang or
gigabytes: depth, number of values and characters are limited, and a value cannot
contain itself. Keys are texts as they are written. Of the values, dates, times and
numbers with leading zeros stay texts, too, because cells of tables look like that.
"""

import re

import yaml
from yaml.reader import Reader

from mdmt_tf.errors import ConfigError, brief

# Where each key was written: ("training", "epochs") -> "configs/mdmt.yaml:12", a file
# that can be opened from the working folder.
Origins = dict[tuple[str, ...], str]

# The shipped configurations have some 10 kB, 300 values and a depth of 6.
MAX_CHARACTERS = 300_000
MAX_VALUES = 10_000
MAX_DEPTH = 40
MAX_KEY = 1000  # as in YAML itself, up to the colon
_MAX_BITS = 63

_TAG = "tag:yaml.org,2002:"
_KINDS = {
    yaml.ScalarNode: tuple(_TAG + kind for kind in ("str", "int", "float", "bool"))
    + (_TAG + "null",),
    yaml.SequenceNode: (_TAG + "seq",),
    yaml.MappingNode: (_TAG + "map",),
}
_INTEGER = re.compile(r"^[-+]?(0|[1-9][0-9_]*|0x[0-9a-fA-F_]+)$")
_FLOAT = re.compile(
    r"""^([-+]?([0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?
    |[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$""",
    re.VERBOSE,
)


class _Loader(yaml.SafeLoader):
    """YAML of limited depth, with the numbers of Python, such as 1e-3."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in known if tag[len(_TAG) :] in kept]
        for kept in [("bool", "null")]
        for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def __init__(self, text: str):
        super().__init__(text)
        self._depth = self._count = 0

    def compose_node(self, parent, index):
        self._depth += 1
        self._count += 1
        mark = self.peek_event().start_mark
        if self._depth > MAX_DEPTH:
            raise yaml.MarkedYAMLError(
                problem=f"more than {MAX_DEPTH} sections or lists inside each other",
                problem_mark=mark,
            )
        if self._count > MAX_VALUES:
            raise yaml.MarkedYAMLError(
                problem=f"more than {MAX_VALUES} keys and values", problem_mark=mark
            )
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


_Loader.add_implicit_resolver(_TAG + "int", _INTEGER, list("-+0123456789"))
_Loader.add_implicit_resolver(_TAG + "float", _FLOAT, list("-+.0123456789"))


def parse(text: str, where: str) -> tuple[dict, Origins]:
    """Plain values of a YAML text with keys, and the line of each key.

    Args:
        text: the text.
        where: the file, for messages and for the lines.
    Raises: ConfigError with `where` and the line.
    """
    value, origins = _parse(text, where)
    if value is None:
        value = {}
    if not isinstance(value, dict):
        raise ConfigError(
            f"{where}: expected `key: value` lines, received {brief(value)}."
        )
    return value, origins


def parse_value(text: str, where: str):
    """The value of a YAML text; a text that is no YAML stands for itself.

    A title with a colon is no YAML.

    Raises: ConfigError with `where`.
    """
    try:
        return _parse(text, where)[0]
    except _NotYamlError:
        return text


def check_characters(text: str, where: str) -> None:
    """Raise ConfigError, with the line, for control characters and halves of pairs."""
    if wrong := Reader.NON_PRINTABLE.search(text):
        line = text.count("\n", 0, wrong.start()) + 1
        raise ConfigError(
            f"{where}:{line}: not valid YAML: {_named(wrong[0])}, which cannot be seen "
            "and may not be here. Remove it."
        )


class _NotYamlError(ConfigError):
    """The syntax is wrong, in a text that could be something else."""


def _parse(text: str, where: str) -> tuple[object, Origins]:
    if len(text) > MAX_CHARACTERS:
        raise ConfigError(
            f"{where}: expected a configuration of at most {MAX_CHARACTERS} "
            f"characters. Received: {len(text)}."
        )
    check_characters(text, where)
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None, {}
        construction = _Construction(loader, where)
        return construction.value(node, ()), construction.origins
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error)
        raise _NotYamlError(f"{where}{line}: not valid YAML: {problem}.") from error
    except ConfigError:
        raise
    # Escapes of characters that do not exist, versions of a thousand digits.
    except Exception as error:
        line = loader.get_mark().line + 1
        raise _NotYamlError(f"{where}:{line}: not valid YAML: {error}.") from error
    finally:
        loader.dispose()


class _Construction:
    """Makes values of nodes; aliases are copied."""

    def __init__(self, loader: _Loader, where: str):
        self.origins: Origins = {}
        self._loader, self._where = loader, where
        self._open: set[int] = set()
        self._count = 0

    def value(self, node: yaml.Node, path: tuple[str, ...]):
        line = self._line(node)
        self.origins.setdefault(path, line)
        self._count += 1
        if self._count > MAX_VALUES or len(path) > MAX_DEPTH:
            raise ConfigError(
                f"{line}: expected at most {MAX_VALUES} values, {MAX_DEPTH} inside "
                "each other. Received: more, counting what aliases (*name) repeat."
            )
        if node.tag not in _KINDS[type(node)]:
            raise ConfigError(
                f"{line}: {'.'.join(path)}: the tag {_plain(node.tag)!r} is not "
                "supported. Write the value without a tag."
            )
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        if id(node) in self._open:
            raise ConfigError(
                f"{line}: {'.'.join(path)}: the alias stands for a value that contains "
                "it. Write the value out."
            )
        self._open.add(id(node))
        if isinstance(node, yaml.MappingNode):
            made = self._mapping(node, path)
        else:
            made = [
                self.value(item, (*path, str(index)))
                for index, item in enumerate(node.value)
            ]
        self._open.remove(id(node))
        return made

    def _mapping(self, node: yaml.MappingNode, path) -> dict:
        result = {}
        for key_node, value_node in node.value:
            line, key = self._line(key_node), self._key(key_node, path)
            if key in result:
                raise ConfigError(
                    f"{line}: key {'.'.join((*path, key))} appears a second time; the "
                    f"first is in {self.origins[(*path, key)]}. Remove one."
                )
            self.origins[(*path, key)] = line
            result[key] = self.value(value_node, (*path, key))
        return result

    def _key(self, node: yaml.Node, path) -> str:
        """A key as it is written: `no` and 1.0 are texts here."""
        if isinstance(node, yaml.ScalarNode) and node.tag in _KINDS[yaml.ScalarNode]:
            if len(node.value) > MAX_KEY:
                raise ConfigError(
                    f"{self._line(node)}: {brief(node.value)}: expected a key of at "
                    f"most {MAX_KEY} characters. Received: {len(node.value)}."
                )
            return self._text(node, path)
        kind = f"the tag {_plain(node.tag)!r}"
        if not isinstance(node, yaml.ScalarNode):
            kind = "a list or a section"
        raise ConfigError(
            f"{self._line(node)}: {'.'.join(path) or 'top level'}: expected a text as "
            f"a key. Received: {kind}."
        )

    def _scalar(self, node: yaml.ScalarNode, path):
        text = self._text(node, path)
        try:
            value = self._loader.construct_object(node)
        # int("abc"), a truth value "maybe", more digits than Python reads.
        except (ValueError, KeyError, IndexError, OverflowError) as error:
            raise ConfigError(
                f"{self._line(node)}: {'.'.join(path)} = {brief(text)}: is no "
                f"{_plain(node.tag).removeprefix('!!')}."
            ) from error
        if isinstance(value, int) and value.bit_length() > _MAX_BITS:
            raise ConfigError(
                f"{self._line(node)}: {'.'.join(path)} = {brief(text)}: expected a "
                f"whole number of at most {_MAX_BITS} bits."
            )
        return value

    def _text(self, node: yaml.ScalarNode, path) -> str:
        """The text, which escapes may give characters that do not belong there."""
        if wrong := Reader.NON_PRINTABLE.search(node.value):
            raise ConfigError(
                f"{self._line(node)}: {'.'.join(path)}: {brief(node.value)} has "
                f"{_named(wrong[0])}, which cannot be seen and may not be here. Remove "
                "it."
            )
        return node.value

    def _line(self, node: yaml.Node) -> str:
        return f"{self._where}:{node.start_mark.line + 1}"


def _named(character: str) -> str:
    return f"the character U+{ord(character):04X}"


def _plain(tag: str) -> str:
    """A tag as it is written: !!int."""
    return "!!" + tag[len(_TAG) :] if tag.startswith(_TAG) else tag
