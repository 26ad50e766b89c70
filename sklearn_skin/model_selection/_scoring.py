"""Scorers by the names that users know, and predictions that several scorers share."""

from functools import wraps

from sklearn.metrics import check_scoring, get_scorer_names

from sklearn_skin.utils import did_you_mean


def find_scorer(model, scoring):
    """Return a scorer for a name of scikit-learn or of `SCORERS`, a callable, or None."""
    from sklearn_skin.metrics import SCORERS

    if isinstance(scoring, str):
        if scoring in SCORERS:
            return SCORERS[scoring]
        known = [*SCORERS, *get_scorer_names()]
        if scoring not in known:
            raise ValueError(
                f"`scoring` must be a name of scikit-learn or of sklearn_skin.metrics.SCORERS; got "
                f"{scoring!r}{did_you_mean(scoring, known)}"
            )
    return check_scoring(model, scoring=scoring)


class KeptPredictions:
    """A fitted model that predicts the same rows once, however many scorers ask.

    Parameters
    ----------
    model : classifier
        Fitted.
    """

    def __init__(self, model):
        self._model = model
        self._kept = {}

    def __getattr__(self, name):
        method = getattr(self._model, name)
        if name not in ("predict", "predict_proba", "decision_function"):
            return method

        # scikit-learn's scorers ask for the method's name.
        @wraps(method)
        def kept(X):
            # The rows are held too: an id may be given again to rows that come after them.
            if (name, id(X)) not in self._kept:
                self._kept[name, id(X)] = X, method(X)
            return self._kept[name, id(X)][1]

        return kept
