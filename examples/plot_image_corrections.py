"""
Corrections of images, before and after
=======================================

Colour constancy, local contrast and hair removal are transformers. On an image column they only
note what is to be done; the pixels are read when a network, or `load_pixels`, asks for them.

Run it on images of your own with ``python plot_image_corrections.py FOLDER``.
"""

# %%
# Without a folder, drawn lesions stand in for photographs, with hairs painted over them.
import sys
from pathlib import Path

import cv2
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from sklearn_skin.datasets import make_lesions
from sklearn_skin.image import as_images, load_pixels
from sklearn_skin.preprocessing import CLAHE, GrayWorld, HairRemoval, ShadesOfGray

SIZE = (225, 300)  # height and width
N_IMAGES = 5


def drawn_images():
    lesions = make_lesions(N_IMAGES, image_size=300, missing_rate=0.0, random_state=0)
    pixels, _ = load_pixels(lesions.data["image"].array, SIZE)
    rng = np.random.RandomState(0)
    for image in pixels:
        for start, stop in rng.randint(0, 300, size=(12, 2, 2)):
            cv2.line(image, start.tolist(), stop.tolist(), (45, 30, 25), 2, cv2.LINE_AA)
    return as_images(list(pixels))


def images_of(folder):
    """Take the images of a folder (of its first 200) that hair removal changes most."""
    images = as_images(sorted(map(str, Path(folder).rglob("*.jpg")))[:200])
    before, _ = load_pixels(images, SIZE)
    change = np.abs(HairRemoval().fit_transform(before).astype(int) - before).mean(axis=(1, 2, 3))
    return images[np.argsort(-change)[:N_IMAGES]]


images = images_of(sys.argv[1]) if len(sys.argv) > 1 else drawn_images()
X = pd.DataFrame({"image": images})

# %%
# Each transformer makes a longer chain of the column, in no time.
corrections = {
    "as it is": None,
    "GrayWorld()": GrayWorld(),
    "ShadesOfGray(power=6)": ShadesOfGray(power=6),
    "CLAHE(clip_limit=2)": CLAHE(clip_limit=2.0),
    "HairRemoval()": HairRemoval(),
}
columns = {name: X if step is None else step.fit_transform(X) for name, step in corrections.items()}
print(columns["HairRemoval()"]["image"].array.steps)

# %%
# Now the pixels are read, corrected and scaled.
figure, axes = plt.subplots(
    N_IMAGES, len(columns), figsize=(15, 11.5), layout="constrained", squeeze=False
)
for column, (name, table) in enumerate(columns.items()):
    pixels, _ = load_pixels(table["image"].array, SIZE)
    axes[0, column].set_title(name)
    for row in range(N_IMAGES):
        axes[row, column].imshow(pixels[row])
        axes[row, column].set_axis_off()
plt.show()
