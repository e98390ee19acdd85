"""The stored reference values come from the versions that its requirements name."""

import json

import pytest


@pytest.mark.parametrize("file", ["backbones.json", "torch_traces.json"])
def test_files_were_made_with_the_required_versions(file, reference):
    versions = json.loads((reference / file).read_text(encoding="utf-8"))["versions"]
    lines = (reference / "requirements.txt").read_text(encoding="utf-8").splitlines()
    required = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert set(required) == {"torch", "torchvision", "timm", "monai"}
    assert required.items() <= versions.items()
