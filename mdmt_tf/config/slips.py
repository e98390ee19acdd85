"""Suggestions for a key that does not exist."""

import difflib
from collections.abc import Collection, Sequence

from mdmt_tf.config.keys import NAME, all_keys, names_below

# Keys and values of earlier versions -> their present names.
RENAMED_KEYS = {"benchmark.validation": "benchmark.cross_validation"}
RENAMED_VALUES = {"model.heads": {"mdmt": "mlp", "stl": "linear"}}

# Longer words are no slips of the pen, and comparing them takes long.
_LONGEST_WORD = 200

# Names of our keys in other programs. Spelling, capitals, - and _ need no entry.
SYNONYMS = {
    "lr": "learning_rate",
    "bs": "batch_size",
    "batch": "batch_size",
    "epoch": "epochs",
    "num_epochs": "epochs",
    "n_folds": "folds",
    "num_folds": "folds",
    "optim": "optimizer",
    "wd": "weight_decay",
    "early_stopping": "patience",
    "dropout": "head_dropout",
    "network": "backbone",
    "architecture": "backbone",
    "pretrained": "weights",
    "loss_weight": "weight",
    "thresholds": "cut_points",
    "gpus": "devices",
    "random_seed": "seed",
    "output_dir": "run_dir",
    "img_size": "image_size",
}


def unknown_key(path: Sequence[str], allowed: Sequence[str]) -> str:
    """What is wrong with a key that does not exist, and what to write instead.

    Args:
        path: of the key.
        allowed: the keys of its section.
    Returns: a text that continues the key.
    """
    if (new := RENAMED_KEYS.get(".".join(map(str, path)))) is not None:
        return f": is now called {new}."
    found = " or ".join(repr(key) for key in meant(path, allowed))
    question = f" Did you mean {found}?" if found else ""
    return f": unknown key.{question} Allowed: {', '.join(allowed)}."


def has_old_name(path: Sequence[str], written: Collection[str]) -> bool:
    """Whether a key has the name that it had in an earlier version.

    Args:
        path: of the key.
        written: the keys that are written in its section.
    """
    return any(
        new == ".".join(path) and old.rpartition(".")[2] in written
        for old, new in RENAMED_KEYS.items()
    )


def renamed_value(path: Sequence[str], value) -> str | None:
    """The problem of a value of an earlier version; None for any other value."""
    new = RENAMED_VALUES.get(".".join(path), {}).get(str(value))
    return f" = {value!r}: is now called {new!r}." if new else None


def write_instead(dotted: str) -> str | None:
    """The full key that `dotted` probably means; None if there is none."""
    path = dotted.split(".")
    allowed = names_below(path[:-1])
    if path[-1] in allowed:
        return dotted
    return next(iter(meant(path, allowed)), None)


def meant(path: Sequence[str], allowed: Sequence[str]) -> list[str]:
    """At most two full keys that may have been meant, the most probable first.

    They are a key of the same section with another name, spelling or beginning; a key
    of another section; or the key with the nearest spelling.

    Args:
        path: of a key that does not exist.
        allowed: the keys of its section.
    """
    *section, name = path
    if len(name) > _LONGEST_WORD:
        return []
    own = {_letters(key): ".".join((*section, key)) for key in allowed}
    word = _letters(_SYNONYMS.get(_letters(name), name))
    if word in own:
        return [own[word]]
    elsewhere = _by_letters()
    found = [own[near] for near in difflib.get_close_matches(word, own, 1, 0.8)]
    found += [own[key] for key in own if len(word) > 2 and key.startswith(word)]
    found += elsewhere.get(word, ())
    if not found:
        near = difflib.get_close_matches(word, [*own, *elsewhere], 1, 0.6)
        near = near or difflib.get_close_matches(word, own, 1, 0.5)
        found = [key for n in near for key in ([own[n]] if n in own else elsewhere[n])]
    return list(dict.fromkeys(found))[:2]


def _by_letters() -> dict[str, list[str]]:
    """Letters of a key -> the full keys that end in it."""
    found: dict[str, list[str]] = {}
    for key in sorted(all_keys(), key=lambda k: (NAME in k.path, len(k.path))):
        full = found.setdefault(_letters(key.name), [])
        # Keys under names are suggested only if there are no others.
        if NAME not in key.path or not full:
            full.append(key.full)
    return found


def _letters(word: str) -> str:
    """A key without the differences of Batch-Size, batch_size and batchsize."""
    return word.lower().replace("_", "").replace("-", "")


_SYNONYMS = {_letters(word): key for word, key in SYNONYMS.items()}
