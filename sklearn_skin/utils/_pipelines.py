"""What lies inside Pipelines and searches."""

from sklearn.pipeline import Pipeline


def split_pipeline(estimator):
    """Return the final estimator inside Pipelines and fitted searches, and what comes before it.

    Parameters
    ----------
    estimator : estimator
        A Pipeline, a fitted search (its best estimator is taken), or any other.

    Returns
    -------
    final : estimator
        What predicts.
    transformers : list of transformers
        Steps before it, in order. Samplers are left out: they act in fit alone.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_skin.utils import split_pipeline
    >>> split_pipeline(make_pipeline(StandardScaler(), LogisticRegression()))
    (LogisticRegression(), [StandardScaler()])
    """
    transformers = []
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif isinstance(estimator, Pipeline):
            before = [step for _, step in estimator.steps[:-1]]
            transformers += [step for step in before if hasattr(step, "transform")]
            estimator = estimator.steps[-1][1]
        else:
            return estimator, transformers
