"""The reference page of all keys, `docs/configuration.md`, from the schema."""

import dataclasses
from collections.abc import Iterator

from mdmt_tf.config.files import NAMED
from mdmt_tf.config.keys import ITEM, NAME, Key, all_keys

_INTRODUCTION = f"""\
# Configuration

<!-- Made by `python -m mdmt_tf.config keys --markdown`. Change the descriptions in
`mdmt_tf/config/`, not this page. -->

`--config` takes the name of a configuration that comes with the package (`mdmt`, say)
or the path of a YAML file. Settings on the command line replace those of the file:
`training.batch_size=16`, `model.backbone=resnet50`, `training.plateau={{factor: 0.5}}`;
the value is YAML. All problems of a file are reported at once, each with its line.

- `python -m mdmt_tf.config list`: the configurations that come with the package
- `python -m mdmt_tf.config show NAME`: one of them, with the settings of its bases
- `python -m mdmt_tf.config copy NAME my.yaml`: a copy to change
- `python -m mdmt_tf.config keys WORD`: the keys below that match a word

A file may start from another one: `base: NAME` or `base: path/of/another.yaml`. Its
keys replace those of the base one by one. These sections replace those of the base as
a whole: {", ".join(f"`{'.'.join(path)}`" for path in NAMED)}.

A key with a default may be omitted. `{NAME}` stands for a name that you choose:
lower-case letters, digits and `_`, a letter first; `{ITEM}` stands for the number of an
entry of a list. `{{}}` as a default of a section means the defaults of its keys.
"""


@dataclasses.dataclass(frozen=True)
class KeyGroup:
    """The keys of one section.

    Attributes:
        title: full key of the section; "" for the top level.
        about: description of the section.
        keys: its keys; empty if `same_as` is set.
        same_as: title of an earlier group with the same keys.
    """

    title: str
    about: str
    keys: tuple[Key, ...]
    same_as: str | None = None


def groups() -> Iterator[KeyGroup]:
    """All keys by section, in the order of the page; repeated sections once."""
    by_section: dict[tuple[str, ...], list[Key]] = {}
    for key in all_keys():
        by_section.setdefault(key.path[:-1], []).append(key)
    shown: dict[type, str] = {}
    repeated: list[tuple[str, ...]] = []
    for path, keys in by_section.items():
        if any(path[: len(other)] == other for other in repeated):
            continue
        owner, title = keys[0].owner, ".".join(path)
        about = " ".join((owner.__doc__ or "").split())
        if owner in shown:
            repeated.append(path)
            yield KeyGroup(title, about, (), shown[owner])
        else:
            shown[owner] = title
            yield KeyGroup(title, about, tuple(keys))


def markdown() -> str:
    """The page `docs/configuration.md`."""
    blocks = [_INTRODUCTION]
    for group in groups():
        title = f"`{group.title}`" if group.title else "Top level"
        about = group.about
        if group.same_as is not None:
            blocks.append(f"## {title}\n\nThe keys of `{group.same_as}`.\n")
            continue
        rows = [
            f"| `{key.name}` | {_cell(key.values)} | {_default(key)} | "
            f"{_cell(key.description)} |"
            for key in group.keys
        ]
        table = ["| key | values | default | meaning |", "|---|---|---|---|", *rows]
        blocks.append(f"## {title}\n\n{about}\n\n" + "\n".join(table) + "\n")
    return "\n".join(blocks)


def _default(key: Key) -> str:
    return "required" if key.default == "required" else f"`{key.default}`"


def _cell(text: str) -> str:
    """A text escaped for a Markdown table."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")
