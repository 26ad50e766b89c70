"""Stop unpromising trials of an Optuna study between epochs."""

import numpy as np
from skorch.callbacks import Callback

from sklearn_skin.utils import warn_user


class PruningCallback(Callback):
    r"""Report every epoch to an Optuna trial, and end the trial where its pruner says so.

    Epoch e of the k-th fit of a trial (k = 0, 1, … over folds) is reported as step
    :math:`k E + e`, with E = `max_epochs`, and the value

    .. math:: \frac{1}{k + 1} \sum_{j=0}^{k} v_{j, \min(e, e_j)}

    where :math:`v_{j, e}` is the monitored value and :math:`e_j` the last epoch of fit j. So
    trials are compared at the same fold and epoch, and later folds steady the value instead of
    being ignored.

    A fit whose network has no such column in its history goes unreported.

    Clones share the state: put one callback into the network and clone as often as you like.
    In a copy or another process it does nothing.

    Parameters
    ----------
    trial : optuna.trial.Trial
        The running trial.
    monitor : str, default="valid_loss"
        Column of the network's history. Names with "loss" in them are better when lower; where
        the study's direction says otherwise, the sign is changed.

    Raises
    ------
    optuna.TrialPruned
        In training, if the trial is to end.

    Warns
    -----
    UserWarning
        In training, if the history lacks `monitor`.

    Examples
    --------
    >>> import optuna
    >>> from sklearn.datasets import make_classification
    >>> from sklearn_skin.model_selection import PruningCallback
    >>> from sklearn_skin.neural_network import MetadataClassifier
    >>> X, y = make_classification(random_state=0)
    >>> trial = optuna.create_study().ask()
    >>> callback = PruningCallback(trial, monitor="train_loss")
    >>> net = MetadataClassifier(max_epochs=3, callbacks=[callback], random_state=0)
    >>> _ = net.fit(X, y)
    >>> sorted(trial.study.trials[0].intermediate_values)
    [0, 1, 2]
    """

    def __init__(self, trial, monitor="valid_loss"):
        self.trial = trial
        self.monitor = monitor
        self._curves = []
        self._warned = False

    def __sklearn_clone__(self):
        # The folds of one trial are fits of clones, and they belong together.
        return self

    def __getstate__(self):
        # A trial belongs to its process and its database; a saved network must not drag it along.
        return {"trial": None, "monitor": self.monitor, "_curves": [], "_warned": False}

    def on_train_begin(self, net, **kwargs):
        """Begin the next fit."""
        self._curves.append([])

    def on_epoch_end(self, net, **kwargs):
        """Report the epoch."""
        if self.trial is None:
            return
        row = net.history[-1]
        if self.monitor not in row:
            self._warn(row)
            return
        self._curves[-1].append(float(row[self.monitor]))
        epoch = len(self._curves[-1]) - 1
        mean = np.mean([curve[min(epoch, len(curve) - 1)] for curve in self._curves if curve])
        self._report(float(mean), (len(self._curves) - 1) * net.max_epochs + epoch)

    def _warn(self, row):
        columns = [
            name for name, value in row.items() if isinstance(value, float) and name != "dur"
        ]
        if not self._warned:
            warn_user(
                f"`monitor` {self.monitor!r} is not in the network's history, which has {columns}: "
                "a fit goes on unreported and unpruned. Scores of validation rows need some, as "
                "early_stopping=True holds them out.",
                once=self.monitor,
            )
        self._warned = True

    def _report(self, value, step):
        from optuna import TrialPruned
        from optuna.study import StudyDirection

        maximized = self.trial.study.direction == StudyDirection.MAXIMIZE
        self.trial.report(-value if maximized == ("loss" in self.monitor) else value, step)
        if self.trial.should_prune():
            raise TrialPruned(f"Trial was pruned at step {step}.")
