"""The licences of all packages that this one needs, directly or not.

    python tools/third_party.py             # table; status 1 if one needs a look
    python tools/third_party.py --markdown  # the table of docs/reference/third_party.md

Reads the metadata of what is installed, with the extras that are installed; asks
nobody. Of known vulnerabilities it says nothing: for these, run `pip-audit`, which asks
a service, in an environment with this package.
"""

import argparse
import importlib.metadata as metadata
import re
import sys
from collections.abc import Iterator

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = "mdmt_tf"
# Words of a licence, or of its name in the classifiers -> how it is shown. All let a
# program of any licence use the package; those of MPL cover changes to its own files.
ALLOWED = {
    r"apache(?:[ -]software)?(?:[ -]license)?[ ,-]*(?:version )?2|apache software"
    r"|^apache$|apache-2": "Apache-2.0",
    r"\b[0o]?bsd\b|bsd-|new bsd|modified bsd": "BSD",
    r"\bmit\b|mit-cmu|mit license|expat": "MIT",
    r"\bisc\b|isc license": "ISC",
    r"\bmpl\b|mozilla public": "MPL-2.0",
    r"python software foundation|\bpsf\b|python-2\.0|psf-2": "PSF",
    r"\bhpnd\b|historical permission": "HPND",
    r"unlicense|public domain|cc0": "public domain",
    r"zlib": "Zlib",
    r"zope|zpl": "ZPL",
}
# Words that need a person to look, whatever else is there.
FORBIDDEN = r"\bagpl|affero|\bgpl\b|\bgplv|general public license|non-?commercial"
_TITLE = 600  # characters of a file in which the name of its licence is


def licence_of(distribution: metadata.Distribution) -> str:
    """The licence as the package states it: in its metadata, or else in its file."""
    stated = _in_metadata(distribution.metadata)
    if kinds_of(stated) or re.search(FORBIDDEN, stated.lower()):
        return stated
    return _in_file(distribution) or stated


def _in_metadata(about) -> str:
    if expression := about.get("License-Expression"):
        return expression
    classifiers = [
        line.rpartition(" :: ")[2]
        for line in about.get_all("Classifier") or ()
        if line.startswith("License ::") and not line.endswith("OSI Approved")
    ]
    if classifiers:
        return ", ".join(classifiers)
    return (about.get("License") or "").strip().partition("\n")[0]


def _in_file(distribution: metadata.Distribution) -> str:
    """The beginning of its licence file, in one line."""
    for file in distribution.files or ():
        inside = ".dist-info" in str(file) and "licen" in file.name.lower()
        if inside and file.locate().is_file():
            text = file.locate().read_text(encoding="utf-8", errors="replace")
            return " ".join(text[:_TITLE].split())
    return ""


def kinds_of(licence: str) -> list[str]:
    """The allowed licences that a text names.

    Example:
        >>> kinds_of("Apache-2.0 AND MIT"), kinds_of("BSD License")
        (['Apache-2.0', 'MIT'], ['BSD'])
    """
    text = licence.lower()
    return [kind for words, kind in ALLOWED.items() if re.search(words, text)]


def problem_of(licence: str) -> str | None:
    """Why somebody must look at a licence; None if it is one of the allowed ones.

    Example:
        >>> problem_of("MIT"), problem_of("")
        (None, 'states no licence')
        >>> problem_of("GNU General Public License v3 (GPLv3)")
        "'GNU General Public License v3 (GPLv3)' is not one of the allowed ones"
    """
    if not licence:
        return "states no licence"
    if re.search(FORBIDDEN, licence.lower()) or not kinds_of(licence):
        return f"{licence!r} is not one of the allowed ones"
    return None


def needed(root: str) -> dict[str, set[str]]:
    """Each package that is needed, with those that need it.

    A package that is not installed belongs to an extra that nobody asked for.
    """
    found: dict[str, set[str]] = {}
    waiting = [(root, frozenset(_extras_of(root)))]
    seen = set()
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        for requirement in _requirements(name, extras):
            other = canonicalize_name(requirement.name)
            if _distribution(other) is not None:
                found.setdefault(other, set()).add(name)
                waiting.append((other, frozenset(requirement.extras)))
    found.pop(canonicalize_name(root), None)
    return dict(sorted(found.items()))


def _extras_of(name: str) -> list[str]:
    distribution = _distribution(name)
    if distribution is None:
        sys.exit(f"error: {name} is not installed: pip install -e .")
    return distribution.metadata.get_all("Provides-Extra") or []


def _requirements(name: str, extras: frozenset[str]) -> Iterator[Requirement]:
    distribution = _distribution(name)
    for line in (distribution and distribution.requires) or ():
        requirement = Requirement(line)
        environments = [default_environment() | {"extra": e} for e in extras or ("",)]
        marker = requirement.marker
        if marker is None or any(marker.evaluate(e) for e in environments):
            yield requirement


def _distribution(name: str) -> metadata.Distribution | None:
    try:
        return metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None


def main(argv: list[str] | None = None) -> int:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--markdown", action="store_true")
    options = arguments.parse_args(argv)
    problems = []
    row = "| {} | {} | {} |" if options.markdown else "{:36} {:28} {}"
    if options.markdown:
        print(row.format("package", "licence", "needed by"))
        print(row.format("---", "---", "---"))
    packages = needed(ROOT)
    for name, users in packages.items():
        licence = licence_of(metadata.distribution(name))
        if problem := problem_of(licence):
            problems.append(f"{name}: {problem}")
        shown = ", ".join(kinds_of(licence)) or licence[:40] or "?"
        by = sorted(users, key=lambda user: (user != ROOT, user))
        more = f" and {len(by) - 3} more" if len(by) > 3 else ""
        print(row.format(name, shown, ", ".join(by[:3]) + more))
    if not options.markdown:
        print(f"{len(packages)} packages")
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
