import pytest

from sklearn_skin.datasets import make_lesions


@pytest.fixture(scope="session")
def lesions():
    return make_lesions(60, images_per_lesion=2, random_state=0)


@pytest.fixture(scope="session")
def singles():
    return make_lesions(40, image_size=128, random_state=1)
