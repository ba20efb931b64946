"""Recognition metrics against scikit-learn, with unequal and absent classes."""

import numpy as np
import pytest
from sklearn import metrics as oracle

from mien.metrics import recognition


def answers(seed, absent=()):
    """Return 300 labels of unequal classes and predictions that are right half the time."""
    generator = np.random.default_rng(seed)
    present = [code for code in range(8) if code not in absent]
    share = np.arange(1, len(present) + 1) / sum(range(1, len(present) + 1))
    labels = generator.choice(present, size=300, p=share)
    guesses = generator.integers(0, 8, 300)  # absent classes are predicted all the same
    return labels, np.where(generator.random(300) < 0.5, labels, guesses), present


@pytest.mark.parametrize("absent", [(), (7,), (0, 3)])
@pytest.mark.parametrize("seed", range(3))
def test_metrics_agree_with_scikit_learn(seed, absent):
    labels, predictions, present = answers(seed, absent)
    confusion = recognition.confusion_matrix(labels, predictions)
    expected = oracle.confusion_matrix(labels, predictions, labels=range(8))
    np.testing.assert_array_equal(confusion, expected)

    found = recognition.tally(confusion)
    assert found.accuracy == pytest.approx(100 * oracle.accuracy_score(labels, predictions))
    per_class = {"labels": present, "average": None, "zero_division": 0}
    for ours, theirs in ((found.recall, oracle.recall_score), (found.f1, oracle.f1_score)):
        expected = 100 * theirs(labels, predictions, **per_class)
        np.testing.assert_allclose(ours[present], expected)
        assert np.isnan(np.delete(ours, present)).all()
    averages = {"labels": present, "average": "macro", "zero_division": 0}
    assert found.macro_f1 == pytest.approx(
        100 * oracle.f1_score(labels, predictions, **averages)
    )
    assert found.uar == pytest.approx(
        100 * oracle.recall_score(labels, predictions, **averages)
    )


def test_an_absent_class_has_no_recall_and_leaves_the_others_alone():
    labels, predictions, present = answers(1, absent=(7,))
    recall = recognition.tally(recognition.confusion_matrix(labels, predictions)).recall
    assert np.isnan(recall[7])
    for code in present:
        own = predictions[labels == code]
        assert recall[code] == pytest.approx(100 * np.mean(own == code))


def test_a_class_that_is_never_predicted_scores_zero():
    confusion = recognition.confusion_matrix(np.array([0, 1, 1]), np.array([0, 0, 0]))
    found = recognition.tally(confusion)
    assert found.f1[1] == 0.0
    assert np.isnan(found.f1[2])
    assert found.macro_f1 == pytest.approx((50.0 + 0.0) / 2)


def test_labels_and_predictions_are_not_interchangeable():
    labels, predictions, _ = answers(0, absent=(7,))
    confusion = recognition.confusion_matrix(labels, predictions)
    swapped = recognition.tally(recognition.confusion_matrix(predictions, labels))
    assert recognition.tally(confusion).uar != pytest.approx(swapped.uar)
    assert confusion[:, 7].sum() > 0 == confusion[7].sum()


def test_many_tallies_are_each_ones_own():
    counts = [recognition.confusion_matrix(*answers(s, absent=(7,))[:2]) for s in range(4)]
    each = [recognition.tally(confusion) for confusion in counts]
    fields = ("labelled", "predicted", "recognised")
    together = recognition.Tally(*(np.stack([getattr(t, f) for t in each]) for f in fields))
    for name in ("accuracy", "uar", "macro_f1", "recall", "f1"):
        expected = [getattr(one, name) for one in each]
        np.testing.assert_allclose(getattr(together, name), expected)


@pytest.mark.parametrize(
    ("labels", "predictions"), [([], []), ([0, 1], [0]), ([0, 8], [0, 1]), ([0, 1], [0, -1])]
)
def test_impossible_answers_are_refused(labels, predictions):
    with pytest.raises(ValueError, match=r"labels|class"):
        recognition.confusion_matrix(np.array(labels, int), np.array(predictions, int))
