import pytest

from mdmt_tf.metrics.layout import blocks_of, charted, legend
from mdmt_tf.metrics.table import METRICS, names_of
from mdmt_tf.tasks import make_task

DEATH = make_task(kind="binary", name="death", classes=("no", "yes"))


@pytest.mark.parametrize("count", range(12))
@pytest.mark.parametrize("most", range(1, 6))
def test_blocks_have_all_metrics_in_their_order_and_are_about_equal(count, most):
    names = list(METRICS)[:count]
    blocks = blocks_of(names, most)
    assert [name for block in blocks for name in block] == names
    lengths = [len(block) for block in blocks]
    assert max(lengths) <= most and max(lengths) - min(lengths) <= 1
    assert len(blocks) == max(1, -(-count // most))


@pytest.mark.parametrize("selects", names_of(DEATH))
def test_the_metric_that_selects_is_charted_beside_the_loss(selects):
    found = charted(DEATH, selects, most=2)
    assert found[0] == "loss" and (selects in found or selects == "loss")


def test_a_legend_has_what_its_short_name_does_not_say():
    for line in legend(METRICS):
        short, _, title = line.partition(" = ")
        assert short != title
