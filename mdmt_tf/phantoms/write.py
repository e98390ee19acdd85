"""Folders of phantoms, laid out like the published datasets.

    root/SYNTHETIC.json                     marks the folder; written last
    root/phantom_truth.csv                  grades and outcome odds of every radiograph
    root/AIforCOVID/{imgs,imgs_r2,imgs_r3}/, AIforCOVID.xlsx, _r2.xlsx, _r3.xlsx
    root/BRIXIA/dicom_clean/, metadata_global_v2.csv, metadata_consensus_v1.csv
    root/hannover/png/, data.csv
    root/cohen_brixia/public-cohen-subset/, public-annotations.csv, metadata.csv
    root/cohen_patient_groups.csv
    root/synthetic_cxr/images/, labels.csv
    root/lung_masks/<file of the image>.png if requested: 0, 1 right, 2 left lung
    root/ICH_CSIC/{GOOD,POOR}_PROGNOSIS/<id>_brain.nii.gz, CLINICAL_DATA_ICH.csv
    root/phantom_head_truth.csv             volume, place and outcome odds of every head
    root/lesion_masks/ICH_CSIC/<id>_lesion.nii.gz if requested: 0, 1 blood in the
                                            tissue, 2 in the ventricles

The same plan gives the same bytes on the same machine, with any number of workers.
(Another processor or release of numpy or OpenCV may round a grey value differently.)
"""

import concurrent.futures
import dataclasses
import json
import logging
import multiprocessing
import shutil
import uuid
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import cv2
import numpy as np

from mdmt_tf.errors import DataError
from mdmt_tf.phantoms.chest.radiograph import GENERATOR
from mdmt_tf.phantoms.plan import DATASETS, PhantomPlan

MARK = "SYNTHETIC.json"
_DEFAULTS = {field.name: field.default for field in dataclasses.fields(PhantomPlan)}
_log = logging.getLogger(__name__)


def write_phantoms(root, plan: PhantomPlan, *, workers=1, progress=None):
    """Write the planned phantoms, unless `root` already holds them.

    The files are written to a hidden folder next to `root`, which is renamed to `root`
    at the end, so `root` is always complete. More than one worker starts new processes
    ("spawn"): a script that calls this function needs the usual
    `if __name__ == "__main__":`.

    Args:
        root: folder to create, with its parents.
        plan: `PhantomPlan`.
        workers: maximum number of processes; each writes about 50 radiographs, or
            5 head CTs, a second.
        progress: called as progress(done, total) after every image, in this process.
    Returns: `Path` of root.
    Raises: DataError when `root` exists and holds anything but this plan.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     plan = PhantomPlan(aiforcovid_patients=1, matrix=64)
        ...     root = write_phantoms(f"{folder}/phantoms", plan)
        ...     print(*(path.name for path in sorted(root.rglob("*.dcm"))))
        P_1_1.dcm
    """
    root = Path(root)
    if _already_there(root, plan):
        return root
    root.parent.mkdir(parents=True, exist_ok=True)
    partial = root.parent / f".{root.name}.partial-{uuid.uuid4().hex[:12]}"
    partial.mkdir()
    try:
        _write(partial, plan, workers, progress or (lambda done, total: None))
        try:
            partial.rename(root)
        except OSError:
            # Another process may have finished the same plan in the meantime.
            if not _already_there(root, plan):
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return root


def _already_there(root, plan):
    """Whether `root` holds this plan; False for a missing or empty folder."""
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    mark = root / MARK
    if not mark.is_file():
        raise DataError(
            f"{root} exists but is not a folder of phantoms: it has no {MARK}. Nothing "
            "was written; name another folder."
        )
    try:
        found = json.loads(mark.read_text(encoding="utf-8"))
        # Fields added after the folder was written have their default.
        found = {
            "version": found["version"],
            "plan": _as_read(_DEFAULTS) | found["plan"],
        }
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{mark} cannot be read ({error!r}). Remove {root} to write the phantoms "
            "again, or name another folder."
        ) from error
    wanted = {"version": plan.version, "plan": dataclasses.asdict(plan)}
    wanted = _as_read(wanted)
    if found != wanted:
        raise DataError(
            f"{root} holds phantoms of another plan. Expected {wanted}, found {found}. "
            "Remove the folder or name another one."
        )
    return True


def _as_read(values):
    """Plain values as a JSON file returns them, lists for tuples."""
    return json.loads(json.dumps(values))


def _write(folder, plan, workers, progress):
    studies = plan.studies()
    facts = _write_images(folder, plan, studies, workers, progress)
    for path, content in _tables(plan, studies, facts).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    for dataset in sorted({study.dataset for study in studies}):
        mark = _mark(plan, sum(s.dataset == dataset for s in studies))
        _write_json(folder / dataset / MARK, {"dataset": dataset} | mark)
    _write_json(folder / MARK, _mark(plan, len(studies)))
    _log.info("wrote %d phantoms to %s", len(studies), folder)


def _tables(plan, studies, facts):
    tables, together = {}, {}
    for name, dataset in DATASETS.items():
        chosen = [i for i, study in enumerate(studies) if study.dataset == name]
        own = [studies[i] for i in chosen]
        if own:
            tables |= dataset.tables(own, plan, [facts[i] for i in chosen])
            together.setdefault((dataset.truth, dataset.truth_table), []).extend(own)
    return tables | {name: table(own) for (name, table), own in together.items()}


def _mark(plan, images):
    return {
        "synthetic": True,
        "generator": GENERATOR,
        "version": plan.version,
        "seed": plan.seed,
        "plan": plan.described(),
        "images": images,
        "note": "Computed phantoms. No picture and no number comes from a patient.",
    }


def _write_json(path, content):
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _write_images(folder, plan, studies, workers, progress):
    """Write all images; returns the facts of each, see `PhantomDataset`."""
    jobs = [(folder, plan, study) for study in studies]
    total = len(jobs)
    facts = []
    progress(0, total)
    workers = min(workers, -(-total // 8))  # a process takes a second to start
    if workers <= 1:
        _keep_memory()
        for done, job in enumerate(jobs, start=1):
            facts.append(_write_image(job))
            progress(done, total)
        return facts
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(
        workers, mp_context=context, initializer=_start_worker
    ) as pool:
        try:
            results = pool.map(_write_image, jobs, chunksize=4)
            for done, written in enumerate(results, start=1):
                facts.append(written)
                progress(done, total)
            return facts
        except BrokenProcessPool as error:
            raise DataError(
                "the processes that draw phantoms ended early. A script needs "
                '`if __name__ == "__main__":` around what it does, since each process '
                "loads it again; or the memory was used up."
            ) from error
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _start_worker():
    cv2.setNumThreads(1)  # the other worker processes use the other cores
    _keep_memory()


def _keep_memory():
    """Let the C library keep freed memory, which saves a third of the time.

    glibc returns freed blocks above a threshold to the system, and the next picture
    has to map them again. Freeing one large untouched block raises that threshold for
    the process. Other C libraries are not affected.
    """
    np.empty(31 << 20, np.uint8)


def _write_image(job):
    """Render one study and write its files; returns its facts."""
    folder, plan, study = job
    return DATASETS[study.dataset].write(folder, plan, study)
