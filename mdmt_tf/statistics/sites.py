"""The primary comparison over sites, for leave-one-site-out cross-validation."""

import numpy as np
import pandas as pd
import scipy.stats
from statsmodels.stats import meta_analysis

from mdmt_tf.statistics.components import Estimate, estimate
from mdmt_tf.statistics.pairing import joined, paired_by_site
from mdmt_tf.statistics.primary import LEVEL, Difference, difference
from mdmt_tf.tasks import Task

# The variance between two sites has one degree of freedom.
FEWEST_SITES = 3


def across_sites(
    candidate_rows: pd.DataFrame,
    other_rows: pd.DataFrame,
    task: Task,
    metric: str,
    *,
    folds: int,
) -> Difference:
    """The difference of two experiments at a new site, by random effects.

    The difference of each site has the variance of `mdmt_tf.statistics.components`.
    With the variance tau^2 between sites of Paule and Mandel 1982, each site has the
    weight 1 / (V + tau^2). The interval is the wider of two (Jackson et al. 2017): that
    of Hartung and Knapp 2001, with t of sites - 1 degrees of freedom, and the normal
    interval of the weights, as the first is very narrow where sites agree by chance. So
    the interval describes other sites, not only other patients of these.

    Args: see `mdmt_tf.statistics.primary.compare_metrics`; the rows have the column
        `site`.
    Returns: the difference; its method and `sites` name those that are left out because
        their difference is not estimable. They count neither in the value nor among
        patients and fits. With fewer than 3 sites it is not estimable.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> age = make_task(name="age", kind="regression")
        >>> rows = pd.DataFrame({"patient_id": [f"p{i:02}" for i in range(36)]})
        >>> rows = rows.assign(image_id=rows["patient_id"], dataset="ward", task="age")
        >>> rows = rows.assign(backbone="resnet18", seed=0, fold=[0, 1, 2] * 12)
        >>> rows = rows.assign(site=["A", "B", "C"] * 12, target=1.0, prediction=2.0)
        >>> worse = rows.assign(prediction=[3.0, 3.0, 3.0, 4.0, 4.0, 4.0] * 6)
        >>> found = across_sites(rows, worse, age, "mae", folds=3)
        >>> found.value, found.conclusion  # 1 - (2 + 3) / 2
        (-1.5, 'better')
    """
    pair, sites = paired_by_site(candidate_rows, other_rows, task, folds)
    found = {
        site: estimate(of_site, task, [metric], folds)[metric]
        for site, of_site in sites.items()
    }
    known = {site: own for site, own in found.items() if own.reason is None}
    left_out = [site for site in found if site not in known]
    method, counted = f"random effects over {len(known)} sites", ""
    if left_out:
        without = f"without {', '.join(left_out)} (not estimable)"
        method += f", {without}"
        counted = f"{len(known)} of {len(found)} sites, {without}"
    reason = pair.reason
    if reason is None and len(known) < FEWEST_SITES:
        reason = (
            f"There are {len(known)} sites with an estimable difference; "
            f"{FEWEST_SITES} are needed."
        )
    if reason is not None:
        values = [own.value for own in found.values()]
        value = float(np.mean(values)) if values else float("nan")
        return difference(metric, pair, Estimate(value, reason=reason), method)
    estimated = combined(list(known.values()))
    of_known = joined([sites[site] for site in known])
    return difference(metric, of_known, estimated, method, counted)


def combined(sites: list[Estimate]) -> Estimate:
    """The mean over sites by random effects, see `across_sites`.

    Args:
        sites: at least 2, each with an estimable difference.

    Example:
        Q = 0.5 is below its 2 degrees of freedom, so tau^2 = 0 and weights are equal.
        The variances are 0.5 / 2 / 3, with t of 2 degrees, and 1 / 3.

        >>> sites = [Estimate(value, 1.0, 50.0) for value in (1.0, 1.5, 2.0)]
        >>> found = combined(sites)  # 4.303 sqrt(0.0833) > 1.96 sqrt(0.3333)
        >>> round(found.value, 3), round(found.variance, 4), found.freedom
        (1.5, 0.0833, 2.0)
    """
    effects = np.array([own.value for own in sites])
    variances = np.array([own.variance for own in sites])
    with np.errstate(divide="ignore"):
        # statsmodels also divides by the heterogeneity, which is 0 for equal effects.
        found = meta_analysis.combine_effects(effects, variances, method_re="iterated")
    intervals = (
        (float(found.sd_eff_w_re_hksj**2), len(sites) - 1.0),
        (float(found.sd_eff_w_re**2), np.inf),
    )
    return Estimate(float(found.mean_effect_re), *max(intervals, key=_width))


def _width(interval: tuple[float, float]) -> float:
    variance, freedom = interval
    return float(scipy.stats.t.ppf((1 + LEVEL) / 2, freedom) * np.sqrt(variance))
