"""Numbers of parameters, as a dry run and the card of a run state them."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras


def count_parameters(model: "keras.Model", backbone: str) -> dict[str, int]:
    """Parameters of the "backbone" and of the whole "model", with all statistics.

    Args:
        model: a model of `build_model`.
        backbone: name of its layer.

    Example:
        >>> import keras
        >>> inputs = keras.Input((4,))
        >>> own = keras.Model(inputs, keras.layers.Dense(3)(inputs), name="own")
        >>> model = keras.Model(inputs, keras.layers.Dense(2)(own(inputs)))
        >>> count_parameters(model, "own")
        {'backbone': 15, 'model': 23}
    """
    return {
        "backbone": model.get_layer(backbone).count_params(),
        "model": model.count_params(),
    }


def backbone_text(name: str, parameters: int | None, kind: str = "") -> str:
    """A backbone and the number of its parameters, if it is known.

    Args:
        kind: which of the parameters are counted, such as "trainable"; "": all.

    Example:
        >>> backbone_text("shufflenet_v2_x0_5", 349_744)
        'shufflenet_v2_x0_5, 349,744 parameters'
        >>> backbone_text("own", None)
        'own'
    """
    if parameters is None:
        return name
    return " ".join(filter(None, (f"{name}, {parameters:,}", kind, "parameters")))
