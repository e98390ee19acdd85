"""Names of the methods and of their table. No TensorFlow."""

GRAD_CAM = "grad_cam"
GUIDED = "guided_backpropagation"
GUIDED_GRAD_CAM = "guided_grad_cam"

# Method -> its name in pictures and tables, the most legible first.
TITLES = {
    GRAD_CAM: "Grad-CAM",
    GUIDED: "guided backpropagation",
    GUIDED_GRAD_CAM: "guided Grad-CAM",
}
METHODS = tuple(TITLES)
# What may be read from a map.
MEANING = "A map shows where the score is sensitive, not that the place is a finding."
# Why a map may be zero everywhere.
IF_ZERO = {
    GRAD_CAM: "The map is zero everywhere: nowhere does the layer raise this score.",
    GUIDED: "The map is zero everywhere: no positive gradient of this score reaches "
    "the image.",
    GUIDED_GRAD_CAM: "The map is zero everywhere: where the layer raises this score, "
    "no positive gradient reaches the image.",
}

# One row for each map, in a folder of maps.
TABLE = "saliency.csv"
