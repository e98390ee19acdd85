"""Patients and sites of the records of a dataset, in one spelling each."""

import collections
import dataclasses
from collections.abc import Callable, Sequence

from mdmt_tf.datasets._shared.image_records import Record
from mdmt_tf.datasets._shared.rejections import Rejections
from mdmt_tf.names import folded_site, likeness, plain_id


def in_one_spelling(records: Sequence[Record], rejections: Rejections) -> list[Record]:
    """The records with names that are the same spelled alike; see `mdmt_tf.names`.

    Patients are the same if their names differ in nothing that can be seen, apart from
    12.0 for 12. Sites are the same without case and blanks; the most frequent spelling
    is taken. Other names that are like each other stay different, with a warning: only
    the user knows which of them are slips.
    """
    site_of = _spellings([record.site for record in records])
    result, told = [], set()
    for record in records:
        patient, site = plain_id(record.patient_id), site_of[record.site]
        if site != record.site and record.site not in told:
            told.add(record.site)
            detail = f"{record.site!r} counts as {site!r}"
            rejections.warn("", record.row.place, "site in another spelling", detail)
        result.append(dataclasses.replace(record, patient_id=patient, site=site))
    _warn_of_like(result, "site", lambda record: record.site, rejections)
    # An image of no known patient counts as one; its name is not compared.
    own = [record for record in result if record.patient_id != record.image_id]
    _warn_of_like(own, "patient", lambda record: record.patient_id, rejections)
    return result


def _spellings(sites: Sequence[str]) -> dict[str, str]:
    """Each spelling -> the most frequent one of the same site, the first of several."""
    counts = collections.Counter(sites)
    best: dict[str, str] = {}
    for site, count in counts.items():
        other = best.setdefault(folded_site(site), site)
        if count > counts[other]:
            best[folded_site(site)] = site
    return {site: best[folded_site(site)] if site else "" for site in counts}


def _warn_of_like(
    records: Sequence[Record],
    what: str,
    name_of: Callable[[Record], str],
    rejections: Rejections,
) -> None:
    """Warn of names that differ in case, blanks and leading zeros only."""
    first: dict[str, Record] = {}
    told = set()
    for record in records:
        name = name_of(record)
        other = first.setdefault(likeness(name), record)
        if not name or name in told or name == name_of(other):
            continue
        told.add(name)
        detail = (
            f"{what} {name!r} is like {name_of(other)!r} ({other.row.place}), but "
            f"another {what}. Write them alike if they are the same"
        )
        rejections.warn("", record.row.place, f"{what}s of like names", detail)
