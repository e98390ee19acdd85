"""Use of a trained model: export, predictions, evaluation."""
