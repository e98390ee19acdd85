"""The state of a fit after an epoch, and within one."""

import numpy as np
from small_networks import small_model

from mdmt_tf.training import callbacks
from mdmt_tf.training.saving import SaveState


def test_the_best_epoch_before_an_interruption_is_kept(tmp_path):
    path = tmp_path / "last.h5"

    def begin(model):
        selection = callbacks.Selection("prognosis", "loss", 0, None)
        state = SaveState(path, {"selection": selection}, epochs=3)
        state.SECONDS = 0
        for callback in (selection, state):
            callback.set_model(model)
            callback.on_train_begin()
        return selection, state

    def epoch(number, value, model, *items):
        model.get_layer("hidden").bias.assign(np.full(4, number))
        for item in items:
            item.on_epoch_end(number, {"validation/prognosis/loss": value})

    model = small_model()
    model.stop_training = False
    items = begin(model)
    epoch(0, 1.0, model, *items)
    epoch(1, 2.0, model, *items)
    resumed = small_model()
    resumed.stop_training = False
    selection, state = begin(resumed)
    assert state.restore(resumed, path) == 2
    assert resumed.get_layer("hidden").bias[0] == 1
    epoch(2, 3.0, resumed, selection, state)
    selection.write_best(resumed, tmp_path / "best.weights.h5")
    best = small_model()
    best.load_weights(tmp_path / "best.weights.h5")
    assert best.get_layer("hidden").bias[0] == 0
