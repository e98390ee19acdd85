"""What may be done with a dataset, and what to cite: the files in its folder.

<dataset>/LICENCE.txt     a sentence, then the page of the dataset
<dataset>/CITATIONS.bib   BibTeX
"""

import dataclasses
import importlib.resources
import json
import re
from pathlib import Path

NOT_STATED = "not stated"

_FIELD = re.compile(r"^\s*(title|year|doi|url)\s*=\s*\{(.*?)\}\s*,?\s*$", re.M | re.S)


@dataclasses.dataclass(frozen=True)
class Terms:
    """The terms of a dataset.

    Attributes:
        licence: a sentence.
        page: address of the dataset; "" if there is none.
        citations: one line each.
    """

    licence: str = NOT_STATED
    page: str = ""
    citations: tuple[str, ...] = ()

    def to_plain(self) -> dict:
        """For JSON."""
        return dataclasses.asdict(self) | {"citations": list(self.citations)}


def terms_of(name: str) -> Terms | None:
    """The terms of a dataset that has a builder in the package; None for others.

    Example:
        >>> terms_of("hannover").licence
        'CC BY 3.0.'
        >>> terms_of("ward") is None
        True
    """
    folder = importlib.resources.files("mdmt_tf.datasets") / name
    if name.startswith("_") or not (folder / "LICENCE.txt").is_file():
        return None
    lines = (folder / "LICENCE.txt").read_text(encoding="utf-8").splitlines()
    licence, page = [*lines, "", ""][:2]
    bibtex = (folder / "CITATIONS.bib").read_text(encoding="utf-8")
    return Terms(licence, page, tuple(citations_in(bibtex)))


def prepared_terms(folder: Path) -> Terms:
    """The terms that a builder of another package has stored in a prepared dataset.

    Args:
        folder: of the prepared version.

    Example:
        >>> prepared_terms(Path("nowhere")).licence
        'not stated'
    """
    try:
        info = json.loads((folder / "dataset_info.json").read_text(encoding="utf-8"))
        licence = (info.get("redistributionInfo") or {}).get("license", "")
        page = (info.get("location") or {}).get("urls", [""])[0]
        citation = str(info.get("citation", ""))
        plain = " ".join(citation.split())
        citations = tuple(citations_in(citation)) or (plain,) * bool(plain)
        return Terms(str(licence) or NOT_STATED, str(page), citations)
    except (OSError, ValueError, AttributeError, IndexError, TypeError):
        return Terms()


def citations_in(bibtex: str) -> list[str]:
    """A line for each entry: title, year, DOI or address.

    Example:
        >>> citations_in('''@article{a, title = {{Head} {CT}},
        ...   year = {2023},
        ...   doi = {10.1/x}
        ... }''')
        ['Head CT. 2023. https://doi.org/10.1/x']
    """
    found = []
    for entry in re.split(r"^@", bibtex, flags=re.M)[1:]:
        # A first field on the line of the key would not be found.
        fields = dict(_FIELD.findall(entry.replace(",", ",\n", 1)))
        title = " ".join(
            fields.get("title", "").replace("{", "").replace("}", "").split()
        )
        where = fields.get("url", "")
        if "doi" in fields:
            where = f"https://doi.org/{fields['doi']}"
        found.append(". ".join(filter(None, (title, fields.get("year"), where))))
    return found
