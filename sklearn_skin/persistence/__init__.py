"""Models in files that hold data alone: nothing is pickled."""
