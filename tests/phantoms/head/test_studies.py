"""The patients are the same however many there are."""

from mdmt_tf.phantoms.head.studies import ich_csic


def test_fewer_patients_are_the_first_of_more(studies):
    assert ich_csic(5, 3) == studies[:3]
    assert ich_csic(6, 3) != studies[:3]
    assert len({s.patient_id for s in studies}) == len(studies)
