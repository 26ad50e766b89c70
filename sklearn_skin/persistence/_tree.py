"""Put other objects in the place of some within an estimator, which stays as it is."""

import copy

import numpy as np
from sklearn.base import BaseEstimator

_LEAVES = (type(None), bool, int, float, complex, str, bytes, type)


def rewrite(value, change):
    """Return `value` with what `change` makes of the objects within it.

    Parameters
    ----------
    value : object
        An estimator, or a container of some.
    change : callable
        Is given every object and the path to it, a tuple of str, and returns what stands in its
        place. That is looked into next.

    Returns
    -------
    value : object
        The same where nothing in it has changed, else a copy. What occurs twice stays one object.
    """
    return _Rewriter(change).visit(value, ())


class _Rewriter:
    def __init__(self, change):
        self.change = change
        self.done = {}

    def visit(self, value, path):
        if isinstance(value, _LEAVES):
            return value
        if id(value) not in self.done:
            # Kept beside its id, which another object would get otherwise. What holds itself,
            # further in, is left there as it is.
            self.done[id(value)] = value, value
            new = self.change(value, path)
            self.done[id(value)] = (
                value,
                new if isinstance(new, _LEAVES) else self._parts(new, path),
            )
        return self.done[id(value)][1]

    def _parts(self, value, path):
        if isinstance(value, dict):
            return self._exchange(value, value, path)
        if isinstance(value, list | tuple):
            found, changed = self._items(value, path)
            if not changed:
                return value
            return type(value)(*found) if hasattr(value, "_fields") else type(value)(found)
        if isinstance(value, np.ndarray) and value.dtype == object:
            found, changed = self._items(value.ravel(), path)
            if not changed:
                return value
            array = np.empty(len(found), dtype=object)
            array[:] = found
            return array.reshape(value.shape)
        return self._exchange(value, vars(value), path) if is_open(value) else value

    def _items(self, values, path):
        found = [self.visit(item, (*path, str(i))) for i, item in enumerate(values)]
        return found, any(new is not old for new, old in zip(found, values))

    def _exchange(self, value, items, path):
        """Return a dict, or an object by its attributes, with other values."""
        found = {key: self.visit(item, (*path, str(key))) for key, item in items.items()}
        if all(found[key] is item for key, item in items.items()):
            return value
        new = copy.copy(value)
        (new if isinstance(value, dict) else vars(new)).update(found)
        return new


def is_open(value):
    """Whether an object is its attributes and no more, so that they can be exchanged."""
    own = (object.__getstate__, BaseEstimator.__getstate__)
    return hasattr(value, "__dict__") and type(value).__getstate__ in own
