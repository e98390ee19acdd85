"""Folders of phantoms in the very form in which the real datasets are published.

    root/SYNTHETIC.json                     what this is; written last
    root/phantom_truth.csv                  grades and outcome odds of every image
    root/AIforCOVID/{imgs,imgs_r2,imgs_r3}/, AIforCOVID.xlsx, _r2.xlsx, _r3.xlsx
    root/BRIXIA/dicom_clean/, metadata_global_v2.csv, metadata_consensus_v1.csv
    root/hannover/png/, data.csv
    root/cohen_brixia/public-cohen-subset/, public-annotations.csv, metadata.csv
    root/cohen_patient_groups.csv
    root/lung_masks/<file of the image>.png if asked for: 0, 1 right, 2 left lung

The same plan gives the same bytes on the same machine, whatever the number of workers.
(Another processor or release of numpy or OpenCV may round a grey value differently.)
"""

import concurrent.futures
import dataclasses
import json
import logging
import multiprocessing
import shutil
import uuid
from pathlib import Path

import cv2
import numpy as np

from mdmt_tf.errors import ConfigError, DataError
from mdmt_tf.imaging import (
    phantom,
    phantom_dicom,
    phantom_studies,
    phantom_tables,
)

MARK = "SYNTHETIC.json"
TRUTH = "phantom_truth.csv"
_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PhantomPlan:
    """How many synthetic patients of each dataset to write; 0 leaves a dataset out.

    A patient has one image in AIforCOVID, one to four in BRIXIA (1.9 on average), one
    to five in Hannover (3), one or two in Cohen/Brixia (1.4).

    matrix: nominal columns of an image; sites scale it by 0.85 to 1.
    lung_masks: write the true lung masks too.
    """

    aiforcovid_patients: int = 0
    brixia_patients: int = 0
    hannover_patients: int = 0
    cohen_brixia_patients: int = 0
    matrix: int = 384
    lung_masks: bool = False
    seed: int = 0

    def __post_init__(self):
        counts = dataclasses.asdict(self)
        wrong = [
            f"{name}={value!r} ({what})"
            for name, low, what in (
                ("aiforcovid_patients", 0, "0 or more"),
                ("brixia_patients", 0, "0 or more"),
                ("hannover_patients", 0, "0 or more"),
                ("cohen_brixia_patients", 0, "0 or more"),
                ("matrix", 64, "64 or more"),
                ("seed", 0, "0 or more"),
            )
            if not isinstance(value := counts[name], int) or value < low
        ]
        if wrong:
            raise ConfigError(
                f"Phantoms cannot be planned with {', '.join(wrong)}: expected whole "
                "numbers in the range given."
            )
        if not any(counts[f"{d}_patients"] for d in _BUILDERS):
            raise ConfigError(
                "Phantoms of no dataset were asked for: set at least one of "
                f"{', '.join(f'{d}_patients' for d in _BUILDERS)} above 0."
            )

    def studies(self):
        """Every radiograph of the plan, list of `phantom_studies.Study`."""
        return [
            study
            for dataset, build in _BUILDERS.items()
            for study in build(self.seed, getattr(self, f"{dataset}_patients"))
        ]


_BUILDERS = {
    "aiforcovid": phantom_studies.aiforcovid,
    "brixia": phantom_studies.brixia,
    "hannover": phantom_studies.hannover,
    "cohen_brixia": phantom_studies.cohen_brixia,
}


def write_phantoms(root, plan, *, workers=1, progress=None):
    """Write the planned phantoms, or find them already written.

    The files are made in a hidden folder beside `root`, which becomes `root` at the
    end: a folder of that name is complete. With more than one worker, the work is done
    in processes started afresh ("spawn"), so a script that calls this needs the usual
    `if __name__ == "__main__":`.

    Args:
        root: folder to make. Its parents are made too.
        plan: `PhantomPlan`.
        workers: most processes to start; each writes about 25 images a second.
        progress: called as progress(done, total) after every image, in this process.
    Returns: `Path` of root.
    Raises: DataError when `root` exists and holds anything but this very plan.
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
            # Another process may have finished the same plan meanwhile.
            if not _already_there(root, plan):
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return root


def _already_there(root, plan):
    """True: `root` holds this plan. False: there is no such folder, or an empty one."""
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    mark = root / MARK
    if not mark.is_file():
        raise DataError(
            f"{root} exists but is no folder of phantoms (it has no {MARK}). Nothing "
            "was written; name another folder."
        )
    try:
        found = json.loads(mark.read_text(encoding="utf-8"))
        found = {"version": found["version"], "plan": found["plan"]}
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{mark} cannot be read ({error!r}). Remove {root} to make the phantoms "
            "again, or name another folder."
        ) from error
    wanted = {"version": phantom.VERSION, "plan": dataclasses.asdict(plan)}
    if found != wanted:
        raise DataError(
            f"{root} holds phantoms of another plan. Expected {wanted}, found {found}. "
            "Remove the folder or name another one."
        )
    return True


def _write(folder, plan, workers, progress):
    studies = plan.studies()
    for path in {Path(study.path).parent for study in studies}:
        (folder / path).mkdir(parents=True, exist_ok=True)
        if plan.lung_masks:
            (folder / "lung_masks" / path).mkdir(parents=True, exist_ok=True)
    for path, content in _tables(plan, studies).items():
        (folder / path).write_bytes(content)
    _write_images(folder, plan, studies, workers, progress)
    for dataset in sorted({study.dataset for study in studies}):
        mark = _mark(plan, sum(s.dataset == dataset for s in studies))
        _write_json(folder / dataset / MARK, {"dataset": dataset} | mark)
    _write_json(folder / MARK, _mark(plan, len(studies)))
    _log.info("wrote %d phantoms to %s", len(studies), folder)


def _tables(plan, studies):
    of = {d: [s for s in studies if s.dataset == d] for d in phantom_studies.DATASETS}
    tables = {TRUTH: phantom_tables.truth_table(studies)}
    if of["AIforCOVID"]:
        tables |= phantom_tables.aiforcovid_tables(of["AIforCOVID"])
    if of["BRIXIA"]:
        tables |= phantom_tables.brixia_tables(of["BRIXIA"], plan.matrix)
    if of["hannover"]:
        tables |= phantom_tables.hannover_tables(of["hannover"])
    if of["cohen_brixia"]:
        tables |= phantom_tables.cohen_brixia_tables(of["cohen_brixia"])
    return tables


def _mark(plan, images):
    return {
        "synthetic": True,
        "generator": phantom.GENERATOR,
        "version": phantom.VERSION,
        "seed": plan.seed,
        "plan": dataclasses.asdict(plan),
        "images": images,
        "note": "Computed phantoms. No picture and no number comes from a patient.",
    }


def _write_json(path, content):
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _write_images(folder, plan, studies, workers, progress):
    jobs = [(folder, plan, study) for study in studies]
    total = len(jobs)
    progress(0, total)
    workers = min(workers, -(-total // 8))  # a process takes a second to start
    if workers <= 1:
        _keep_memory()
        for done, job in enumerate(jobs, start=1):
            _write_image(job)
            progress(done, total)
        return
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(
        workers, mp_context=context, initializer=_start_worker
    ) as pool:
        try:
            results = pool.map(_write_image, jobs, chunksize=4)
            for done, _ in enumerate(results, start=1):
                progress(done, total)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _start_worker():
    cv2.setNumThreads(1)  # this process is ours alone; its neighbours have the cores
    _keep_memory()


def _keep_memory():
    """Let the C library keep freed memory; a third faster.

    glibc hands blocks above a threshold back to the system when they are freed, and the
    next picture pays for mapping them again. Freeing one large block, never touched,
    raises that threshold for the process. Elsewhere it does nothing.
    """
    np.empty(31 << 20, np.uint8)


def _write_image(job):
    """Render one study and write its file (and its lung mask)."""
    folder, plan, study = job
    radiograph = phantom.render(
        study.render_rng(),
        study.grades,
        male=study.male,
        appearance=study.appearance,
        matrix=plan.matrix,
        ap=study.ap,
    )
    path = folder / study.path
    if path.suffix == ".dcm":
        header = phantom_dicom.Header(
            key=study.key,
            patient_id=study.patient_id,
            sex="M" if study.male else "F",
            age=study.age,
            date=phantom_tables.study_date(study),
            manufacturer=_manufacturer(study),
            institution=f"{phantom_dicom.SYNTHETIC} {study.site}",
            view="AP" if study.ap else "PA",
            cm_per_px=radiograph.cm_per_px,
        )
        phantom_dicom.write_dicom(
            path,
            radiograph.pixels,
            study.appearance,
            header,
            inverted=study.inverted,
            compressed=study.compressed,
        )
    else:
        _write_picture(path, radiograph.pixels, study.appearance.bits)
    if plan.lung_masks:
        mask = (folder / "lung_masks" / study.path).with_suffix(".png")
        _write_encoded(mask, radiograph.lungs)


def _manufacturer(study):
    return study.site if study.dataset == "BRIXIA" else phantom_dicom.SYNTHETIC


def _write_picture(path, pixels, bits):
    """PNG (16 bit for more than 8) or JPEG of the display window."""
    deep = bits > 8 and path.suffix == ".png"
    full = 65535 if deep else 255
    values = np.rint(np.clip(pixels, 0.0, 1.0) * np.float32(full))
    _write_encoded(path, values.astype(np.uint16 if deep else np.uint8))


def _write_encoded(path, values):
    done, encoded = cv2.imencode(path.suffix, values)
    if not done:
        raise DataError(f"{path}: OpenCV cannot encode a {path.suffix} file.")
    path.write_bytes(encoded.tobytes())
