"""The table of methods that weigh the losses of the tasks. It loads no Keras."""

# Name -> "module:class", the module a file beside this one. `training.weighting` of a
# configuration takes these names.
WEIGHTINGS = {
    "fixed": "fixed:Fixed",
    "uncertainty": "uncertainty:Uncertainty",
}
