"""Everything of this package that a `.keras` file may refer to, registered with Keras.

Import this module before loading a model that `model.save("model.keras")` has written:

    import keras
    import mdmt_tf.training.keras_objects

    model = keras.models.load_model("model.keras")

Keras then finds layers, optimizer, losses and metrics by their names. A model that was
compiled is compiled again, and its optimizer continues where it was. To continue in
`mixed_float16`, call `keras.config.set_dtype_policy("mixed_float16")` before: Keras
then scales the loss again, as it did when the model was saved.
"""

from mdmt_tf.models import dataset_normalization, layers
from mdmt_tf.training import losses, optimizers

__all__ = ["dataset_normalization", "layers", "losses", "optimizers"]
