"""A trained model outside of training: export, and predictions from files."""
