"""A study in Optuna's journal file, whose trials give signs of life."""

import time

from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import JournalStorage
from optuna.storages._heartbeat import BaseHeartbeat
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

_BEAT = "sklearn_skin:heartbeat"


class LivingJournalStorage(JournalStorage, BaseHeartbeat):
    """A journal file on a disk that machines share; killed trials are found, as in a database.

    A running trial counts its signs of life in the journal. One whose count has stood still for
    `grace_period` seconds of the process that looks is taken for killed, whatever the clocks of
    the machines say.

    Parameters
    ----------
    path : str
        The file; a lock beside it lets one process write at a time.
    heartbeat_interval : int
        Seconds between signs of life.
    grace_period : int, default=None
        Seconds without one after which a trial counts as killed; None takes twice the interval.
    heartbeat_stale_trial_callback : callable, default=None
        Called with the study and each trial that was found killed.
    """

    def __init__(
        self, path, heartbeat_interval, grace_period=None, heartbeat_stale_trial_callback=None
    ):
        super().__init__(JournalFileBackend(str(path)))
        self.heartbeat_interval = heartbeat_interval
        self.grace_period = 2 * heartbeat_interval if grace_period is None else grace_period
        self.stale_trial_callback = heartbeat_stale_trial_callback
        # What was seen of each trial, and since when.
        self._seen: dict[int, tuple[int, float]] = {}

    def __getstate__(self):
        # Another process, perhaps of another machine, has a clock of its own.
        return super().__getstate__() | {"_seen": {}}

    def record_heartbeat(self, trial_id):
        """Count one more sign of life of a running trial."""
        try:
            self.set_trial_system_attr(trial_id, _BEAT, self._beats(self.get_trial(trial_id)) + 1)
        except UpdateFinishedTrialError:
            pass  # it ended between two beats

    def _get_stale_trial_ids(self, study_id):
        now, stale = time.monotonic(), []
        for trial in self.get_all_trials(study_id, deepcopy=False, states=(TrialState.RUNNING,)):
            beats, since = self._seen.get(trial._trial_id, (-1, now))
            if beats != self._beats(trial):
                self._seen[trial._trial_id] = (self._beats(trial), now)
            elif now - since > self.grace_period:
                stale.append(trial._trial_id)
        return stale

    @staticmethod
    def _beats(trial):
        return trial.system_attrs.get(_BEAT, 0)

    def get_heartbeat_interval(self):
        """Return the seconds between signs of life."""
        return self.heartbeat_interval

    def get_heartbeat_stale_trial_callback(self):
        """Return what is called with trials that were killed."""
        return self.stale_trial_callback
