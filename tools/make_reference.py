"""Make tests/reference from the originals: torchvision, timm, MONAI and PyTorch.

    python3 -m venv .venv-reference
    .venv-reference/bin/pip install -r tests/reference/requirements.txt
    .venv-reference/bin/python tools/make_reference.py --check

With --check nothing is written: the largest differences from what is stored are
printed, and the exit status is 1 where one is too large. Without it the files are
written. No weights are downloaded; it takes a minute on two cores.

The environment is one of its own: the package and its tests need none of this.
tests/reference/README.md says what the files hold.
"""

import argparse
import functools
import importlib.metadata
import json
import sys
from pathlib import Path

import numpy as np
import timm
import torch
import torchvision
from monai.networks import nets
from reference_values import input_values, weight_values

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "reference"
PACKAGES = ("torch", "torchvision", "timm", "monai", "numpy")

IMAGES = (2, 3, 224, 224)
VOLUME = (1, 1, 40, 96, 96)

# Largest difference that other processors and versions may make: of the features,
# relative to the largest of a network; of the traces, absolute.
TOLERANCE = {"features": 1e-5, "traces": 1e-12}


# The networks, by the names that they have in `BACKBONES`.

# Attribute that holds the head -> networks.
TORCHVISION = {
    "classifier": (
        "densenet121",
        "densenet161",
        "densenet169",
        "densenet201",
        "mobilenet_v2",
    ),
    "fc": (
        "googlenet",
        "resnet18",
        "resnet34",
        "resnet50",
        "resnet101",
        "resnext50_32x4d",
        "shufflenet_v2_x0_5",
        "shufflenet_v2_x1_0",
        "wide_resnet50_2",
    ),
}
TIMM = (
    "efficientnet_b0",
    "efficientnet_b1_pruned",
    "efficientnet_es",
    "efficientnet_es_pruned",
    "efficientnet_lite0",
    "tf_efficientnet_lite0",
)
MONAI = {
    "densenet121_3d": (nets.DenseNet, {"block_config": (6, 12, 24, 16)}),
    "densenet21_3d": (nets.DenseNet, {"block_config": (2, 2, 2, 2)}),
    # The stem and the shortcuts are those of torchvision's network for images.
    "resnet18_3d": (
        nets.ResNet,
        {
            "block": "basic",
            "layers": (2, 2, 2, 2),
            "block_inplanes": (64, 128, 256, 512),
            "conv1_t_size": 7,
            "conv1_t_stride": 2,
            "bias_downsample": False,
        },
    ),
}


def _torchvision(name, head):
    options = {}
    if name == "googlenet":
        options = {"aux_logits": False, "init_weights": False}
    model = torchvision.models.get_model(name, weights=None, **options)
    setattr(model, head, torch.nn.Identity())
    return model


def _timm(name):
    return timm.create_model(name, pretrained=False, num_classes=0)


def _monai(network, options):
    if network is nets.ResNet:
        return network(
            spatial_dims=3, n_input_channels=1, feed_forward=False, **options
        )
    model = network(spatial_dims=3, in_channels=1, out_channels=1, **options)
    model.class_layers.out = torch.nn.Identity()
    return model


def _originals():
    """(name, source, shape of the input, function that builds it without a head)."""
    for head, names in TORCHVISION.items():
        for name in names:
            build = functools.partial(_torchvision, name, head)
            yield name, f"torchvision {name}", IMAGES, build
    for name in TIMM:
        yield name, f"timm {name}", IMAGES, functools.partial(_timm, name)
    for name, (network, options) in MONAI.items():
        words = ", ".join(f"{key}={value!r}" for key, value in options.items())
        source = f"MONAI {network.__name__}(spatial_dims=3, {words})"
        yield name, source, VOLUME, functools.partial(_monai, network, options)


def make_backbones():
    """Facts and pooled features of every network.

    Returns: {name: facts} with the state's names and shapes in the original's order,
    without the head and `num_batches_tracked`; {name: float32 (N, feature_dim)}.
    """
    facts, features = {}, {}
    for name, source, shape, build in _originals():
        model = build().eval()
        state = {
            key: torch.from_numpy(weight_values(key, tuple(value.shape)))
            for key, value in model.state_dict().items()
            if not key.endswith("num_batches_tracked")
        }
        model.load_state_dict(state, strict=False)
        with torch.inference_mode():
            output = model(torch.from_numpy(input_values(shape)))
        features[name] = output.numpy()
        facts[name] = {
            "source": source,
            "input_shape": shape,
            "feature_dim": output.shape[1],
            "parameters": sum(value.numel() for value in model.parameters()),
            "state": [[key, list(value.shape)] for key, value in state.items()],
        }
        print(f"{name:24} {output.shape[1]:5} features", flush=True)
    return facts, features


# The training of PyTorch.

OPTIMIZERS = {
    "Adam(lr=1e-2)": (torch.optim.Adam, {}),
    "Adam(lr=1e-2, weight_decay=1e-1)": (torch.optim.Adam, {"weight_decay": 0.1}),
    "AdamW(lr=1e-2, weight_decay=1e-1)": (torch.optim.AdamW, {"weight_decay": 0.1}),
    "AdamW(lr=1e-2, weight_decay=1e-1, amsgrad=True)": (
        torch.optim.AdamW,
        {"weight_decay": 0.1, "amsgrad": True},
    ),
    "Adam(lr=1e-2, amsgrad=True)": (torch.optim.Adam, {"amsgrad": True}),
}

PLATEAUS = (
    {"patience": 3, "factor": 0.5},
    {"patience": 0, "factor": 0.1},
    {"patience": 2, "factor": 0.65, "min_lr": 0.3},
    {"patience": 5, "factor": 0.98},
)
# Improvements above and below the threshold, a return to the best, two plateaus.
LOSSES = [1.0, 0.9, 0.85, 0.8501, 0.8499, 0.86, 0.85, 0.8495]
LOSSES += [0.84] * 6 + [0.5] + [0.6] * 7


def trace_optimizers():
    """Five parameters in float64 after each of 12 steps on fixed gradients."""
    rng = np.random.default_rng(3)
    start, gradients = rng.standard_normal(5), rng.standard_normal((12, 5))
    traces = {}
    for name, (optimizer_class, options) in OPTIMIZERS.items():
        weights = torch.nn.Parameter(torch.from_numpy(start.copy()))
        optimizer = optimizer_class([weights], lr=1e-2, **options)
        traces[name] = []
        for gradient in gradients:
            weights.grad = torch.from_numpy(gradient.copy())
            optimizer.step()
            traces[name].append(weights.tolist())
    return {"w0": start.tolist(), "g": gradients.tolist(), "optimizers": traces}


def trace_plateaus():
    """Learning rates of `ReduceLROnPlateau` after each loss, from 1.0."""
    traces = {}
    for options in PLATEAUS:
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **options)
        rates = []
        for loss in LOSSES:
            scheduler.step(loss)
            rates.append(optimizer.param_groups[0]["lr"])
        traces[json.dumps(options)] = rates
    return {"losses": LOSSES, "traces": traces}


def trace_batchnorm():
    """One training step in float64: the output and the running statistics."""
    x = np.random.default_rng(4).standard_normal((6, 2, 3, 3))
    layer = torch.nn.BatchNorm2d(2, dtype=torch.float64)
    layer.weight.data = torch.tensor([1.5, 0.5], dtype=torch.float64)
    layer.bias.data = torch.tensor([0.1, -0.2], dtype=torch.float64)
    y = layer(torch.from_numpy(x)).detach()
    return {
        "y_mean_abs": y.abs().mean().item(),
        "y_first": y[0].ravel().tolist(),
        "running_mean": layer.running_mean.tolist(),
        "running_var": layer.running_var.tolist(),
    }


# Files.


def to_json(data, depth):
    """JSON text with a line for each value down to `depth`."""
    if depth == 0 or not isinstance(data, dict):
        return json.dumps(data)
    items = (f"{json.dumps(key)}: {to_json(data[key], depth - 1)}" for key in data)
    return "{\n" + ",\n".join(items) + "\n}"


def write(folder, facts, features, traces):
    """The three files; see tests/reference/README.md."""
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    for name, data, depth in (
        ("backbones.json", {"versions": versions, "backbones": facts}, 2),
        ("torch_traces.json", {"versions": versions, **traces}, 3),
    ):
        (folder / name).write_text(to_json(data, depth) + "\n", encoding="utf-8")
    np.savez_compressed(folder / "features.npz", **features)


def check(folder, facts, features, traces):
    """Print the largest differences from the stored files; whether all are small."""
    stored = json.loads((folder / "backbones.json").read_text(encoding="utf-8"))
    good = json.loads(json.dumps(facts)) == stored["backbones"]
    print(f"facts and states: {'equal' if good else 'DIFFERENT'}")
    with np.load(folder / "features.npz") as arrays:
        expected = dict(arrays)
    good &= set(expected) == set(features)
    largest = {
        name: float(np.abs(features[name] - expected[name]).max())
        / float(np.abs(expected[name]).max())
        for name in set(features) & set(expected)
    }
    worst = max(largest, key=largest.get)
    print(f"features: at most {largest[worst]:.1e} of the largest ({worst})")
    good &= largest[worst] <= TOLERANCE["features"]
    stored = json.loads((folder / "torch_traces.json").read_text(encoding="utf-8"))
    for name, trace in traces.items():
        ours, theirs = _numbers(trace), _numbers(stored[name])
        difference = np.abs(ours - theirs).max() if len(ours) == len(theirs) else np.inf
        print(f"trace {name}: at most {difference:.1e}")
        good &= bool(difference <= TOLERANCE["traces"])
    return good


def _numbers(tree):
    """All numbers of nested dicts and lists, in their order."""
    if isinstance(tree, dict):
        tree = list(tree.values())
    if not isinstance(tree, list):
        return np.array([tree])
    return np.concatenate([_numbers(branch) for branch in tree])


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER)
    parser.add_argument("--check", action="store_true", help="compare, do not write")
    options = parser.parse_args()
    traces = trace_optimizers()
    traces |= {"plateau": trace_plateaus(), "batchnorm": trace_batchnorm()}
    facts, features = make_backbones()
    if options.check:
        sys.exit(0 if check(options.folder, facts, features, traces) else 1)
    write(options.folder, facts, features, traces)


if __name__ == "__main__":
    main()
