"""Write docs/user_guide/preset_table.rst from `sklearn_skin.presets.PRESETS`.

Run ``python docs/make_preset_table.py`` after a change of a preset; ``tests/test_docs.py``
compares the file with the code.
"""

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
    return lines + call(preset.classifier.__name__, preset.parameters)


def make_table():
    """Return the table, and the recipes below it, as reStructuredText."""
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


if __name__ == "__main__":
    TARGET.write_text(make_table(), encoding="utf-8")
    print(TARGET)
