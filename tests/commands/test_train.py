"""`python -m mdmt_tf.train`."""

import pytest
from command_lines import run, without_tensorflow


def test_resume_refuses_other_settings(tmp_path):
    result = run("-m", "mdmt_tf.train", "--resume", "x", "seed=1")
    assert result.returncode == 2
    assert "--resume takes the settings of the run" in result.stderr


def test_an_existing_run_folder_is_refused_before_anything_is_loaded(tmp_path):
    code = without_tensorflow("mdmt_tf.train", f"run_dir={tmp_path}")
    result = run("-c", code)
    assert result.returncode == 2
    assert "exists and is not overwritten" in result.stderr
    assert f"--resume {tmp_path}" in result.stderr


@pytest.mark.large
def test_phantoms_are_prepared_without_fixing_the_devices(tmp_path):
    """Finding lungs starts TensorFlow, which then keeps the devices it has."""
    script = (
        "import sys\n"
        "import tensorflow as tf\n"
        "from mdmt_tf import train\n"
        "from mdmt_tf.training import trainer\n"
        "def stop(*_, **__):\n"
        "    sys.exit(len(tf.config.list_logical_devices('CPU')))\n"
        "trainer.train = stop\n"
        "train.main(sys.argv[1:])\n"
    )
    phantoms = "{aiforcovid_patients: 4, brixia_patients: 2, matrix: 96}"
    settings = [f"phantoms={phantoms}", f"data_dir={tmp_path}"]
    result = run("-c", script, *settings, "training.devices=[CPU:0, CPU:1]")
    assert result.returncode == 2, result.stderr
