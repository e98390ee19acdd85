"""How images are changed, from a configuration and from Python."""

from mdmt_tf.config.schema import AugmentationSection
from mdmt_tf.data.augment.settings import Augmentation


def test_a_configuration_that_says_nothing_has_the_same_defaults():
    assert Augmentation.of(AugmentationSection()) == Augmentation()


def test_values_of_a_configuration():
    section = AugmentationSection(elastic_alpha=(1, 2), flip_probability=1)
    expected = Augmentation(elastic_alpha=(1, 2), flip_probability=1)
    assert Augmentation.of(section) == expected
    assert Augmentation.of(None) is None
