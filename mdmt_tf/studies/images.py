def compute_all(config, folder, write):
    raise NotImplementedError


def read_all(config, folder):
    raise NotImplementedError
