"""What a study's pruner watches: a column of the history of an estimator's networks."""

from sklearn_skin.model_selection._choices import choices_of

_OF_VALIDATION_ROWS = {"early_stopping", "lr_schedule", "branch_weights"}


def check_monitor(monitor, estimator, space):
    """Raise an error where no trial of a space can have `monitor` in its network's history."""
    if monitor in (None, "score"):
        return
    if not isinstance(monitor, str):
        raise TypeError(
            "`monitor` must be 'score', a column of the network's history or None; a network's "
            f"own scorer fills the column 'valid_score'; got {type(monitor).__name__} {monitor!r}."
        )
    if callable(space) or _may_change_estimators(estimator, space):
        return
    if not callback_names(estimator):
        raise ValueError(
            "`monitor` names a column of a network's history, and the estimator has no network; "
            "pass 'score' or None."
        )
    networks = _networks(estimator)
    # Networks of other packages and callbacks of the user's own record what they like.
    if all(hasattr(net, "_needs_validation") and not net.callbacks for net in networks.values()):
        _check_column(monitor, networks, space)


def callback_names(estimator):
    """Return the parameters of the networks in an estimator that hold their callbacks."""
    return [name for name in estimator.get_params() if name.split("__")[-1] == "callbacks"]


def add_callback(estimator, trial, monitor):
    """Give every network in `estimator` a callback that reports to the trial."""
    from sklearn_skin.model_selection._pruning import PruningCallback

    callback = PruningCallback(trial, monitor)
    for name in callback_names(estimator):
        others = estimator.get_params()[name] or []
        estimator.set_params(**{name: [*others, callback]})


def _may_change_estimators(estimator, space):
    params = estimator.get_params()
    pairs = [(params[name], choices_of(values) or []) for name, values in space.items()]
    return _holds_estimators(pairs)


def _holds_estimators(value):
    if isinstance(value, list | tuple):
        return any(map(_holds_estimators, value))
    return hasattr(value, "get_params")


def _networks(estimator):
    """Return the networks by the beginning of their parameters' names."""
    starts = [name.removesuffix("callbacks") for name in callback_names(estimator)]
    params = estimator.get_params()
    return {start: params.get(start.removesuffix("__"), estimator) for start in starts}


def _check_column(monitor, networks, space):
    def varies(names):
        return any(start + name in space for start in networks for name in names)

    own = {
        net.monitor if isinstance(net.monitor, str) else "valid_score" for net in networks.values()
    }
    columns = {"train_loss", "valid_loss"} | own
    if monitor not in columns and not varies({"monitor", "callbacks"}):
        raise ValueError(f"`monitor` must be 'score' or one of {sorted(columns)}; got {monitor!r}.")
    held_out = any(net._needs_validation() for net in networks.values())
    if monitor != "train_loss" and not held_out and not varies(_OF_VALIDATION_ROWS | {"callbacks"}):
        raise ValueError(
            f"`monitor` {monitor!r} is measured on validation rows, and the network holds none "
            "out; set early_stopping=True, or watch 'train_loss' or 'score'."
        )
