import pytest

from mdmt_tf.errors import ConfigError
from mdmt_tf.runs.declared_tasks import read_tasks
from mdmt_tf.tasks import make_task

FILE = """\
dataset:
  name: ward
  images: films
  tables: outcomes.csv
  columns: {{image: file}}
  labels: {{g: {{unit: points}}}}
tasks:
  grade: {{{task} from: {{ward: g}}}}
  mine: {{kind: regression, from: {{ward: [g, g]}}}}
"""
GRADE = make_task(name="grade", kind="ordinal", cut_points=(2, 5))


@pytest.mark.parametrize("task", ["", "kind: ordinal,", "cut_points: [2.0, 5],"])
def test_the_fields_of_tasks_that_are_those_of_the_run(tmp_path, task):
    path = tmp_path / "ward.yaml"
    path.write_text(FILE.format(task=task))
    found = read_tasks(str(path), {"grade": GRADE})
    assert found == ("ward", {"grade": "g", "mine": ("g", "g")})


@pytest.mark.parametrize("task", ["kind: binary,", "cut_points: [2, 6],"])
def test_another_task_is_named_with_what_the_run_has(tmp_path, task):
    path = tmp_path / "ward.yaml"
    path.write_text(FILE.format(task=task))
    with pytest.raises(ConfigError, match="tasks.grade.*expected .*, as in the run"):
        read_tasks(str(path), {"grade": GRADE})
