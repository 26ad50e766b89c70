import os

import pytest

from sklearn_skin.utils import replacing


def test_a_broken_write_leaves_what_was_there(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), replacing(path) as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["table.csv"]


@pytest.mark.skipif(os.name == "nt", reason="no file modes")
def test_files_may_be_read_by_whom_the_user_allows(tmp_path):
    path = tmp_path / "table.csv"
    before = os.umask(0o027)
    try:
        with replacing(path) as file:
            file.write(b"whole")
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o640
