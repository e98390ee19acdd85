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

# One row for each map, in a folder of maps.
TABLE = "saliency.csv"
