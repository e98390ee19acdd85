"""The table of loss-weighting methods. It does not load Keras."""

# Name -> ("module:class", description), where the module is in this package.
# `training.weighting` of a configuration takes these names and describes them.
WEIGHTINGS = {
    "fixed": ("fixed:Fixed", "their sum, each multiplied by tasks.NAME.weight"),
    "uncertainty": (
        "uncertainty:Uncertainty",
        "with learned weights (Kendall et al. 2018), on top of tasks.NAME.weight",
    ),
}
