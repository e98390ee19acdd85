"""The table of loss-weighting methods. It does not load Keras."""

# Name -> "module:class", where the module is in this package. `training.weighting` of a
# configuration takes these names.
WEIGHTINGS = {
    "fixed": "fixed:Fixed",
    "uncertainty": "uncertainty:Uncertainty",
}
