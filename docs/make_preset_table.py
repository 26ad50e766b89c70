"""The table of presets in the user guide, from `sklearn_skin.presets.PRESETS`."""

from pathlib import Path

from sklearn_skin.presets import PRESETS

TARGET = Path(__file__).parent / "user_guide" / "preset_table.rst"
HEADER = ["system", "preset", "estimator", "what deviates, or the source leaves open"]


def call(name, parameters):
    """Return a call, written with a parameter per line."""
    lines = [f"    {key}={value!r}," for key, value in parameters.items()]
    return [f"{name}(", *lines, ")"] if lines else [f"{name}()"]


def recipe(preset):
    """Return the steps of a preset's pipeline as lines of code."""
    lines = call("make_lesion_transformer", preset.transformer)
    if preset.sampler is not None:
        lines += call("ClassBalancedSampler", preset.sampler)
    lines += call(preset.classifier.__name__, preset.parameters)
    return (
        lines if preset.wrapper is None else [*lines, f"{preset.wrapper.__name__}(first_stage=...)"]
    )


def make_page():
    """Return the table, and the recipes below it."""
    lines = [".. list-table::", "   :header-rows: 1", "   :widths: 8 18 28 46", ""]
    lines += [f"   {'  -' if i else '* -'} {cell}" for i, cell in enumerate(HEADER)]
    for name, preset in PRESETS.items():
        estimator = f":class:`~sklearn_skin.neural_network.{preset.classifier.__name__}`"
        cells = [preset.system, f'"{name}"', estimator]
        lines += [f"   {'  -' if i else '* -'} {cell}" for i, cell in enumerate(cells)]
        lines += [f"     {'  ' if i else '- '}- {text}" for i, text in enumerate(preset.deviations)]
    for name, preset in PRESETS.items():
        lines += ["", f'.. rubric:: {preset.system}: "{name}"', "", ".. code-block:: python", ""]
        lines += [f"    {line}" for line in recipe(preset)]
    return "\n".join(lines) + "\n"
