"""Files that have changed, or were written to do harm: refused, and nothing runs."""

import copy
import io
import json
import pickle
import stat
import struct
import warnings
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import numpy as np
import pytest
from saved_models import fitted_model, make_table
from sklearn.ensemble import RandomForestClassifier
from sklearn.svm import SVC

from sklearn_skin.exceptions import ModelFileError
from sklearn_skin.persistence import _archive, _parts, load_model, model_card, save_model
from sklearn_skin.persistence._archive import open_archive, write_archive
from sklearn_skin.persistence._parts import dump_part, load_part


class Bomb:
    """Write a file when it is unpickled."""

    def __init__(self, marker):
        self.marker = str(marker)

    def __reduce__(self):
        return open, (self.marker, "w")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "model.skin"
    save_model(fitted_model("array"), path)
    return path


@pytest.fixture
def parts(saved):
    with open_archive(saved) as archive:
        return {name: archive.read(name) for name in archive.names}


def refuse(path, match):
    with pytest.raises(ModelFileError, match=match):
        load_model(path)


def test_every_changed_byte_is_found(saved, tmp_path):
    data, changed = saved.read_bytes(), tmp_path / "changed.skin"
    rng = np.random.default_rng(0)
    places = {0, len(data) - 1, len(data) - 64, len(data) - 65, *rng.integers(len(data), size=150)}
    for place in map(int, places):
        flipped = bytearray(data)
        flipped[place] ^= 1 << int(rng.integers(8))
        changed.write_bytes(flipped)
        refuse(changed, "not as it was written|no complete file")
        with pytest.raises(ModelFileError):
            model_card(changed)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.999])
def test_a_cut_file_is_refused(saved, tmp_path, share):
    data, cut = saved.read_bytes(), tmp_path / "cut.skin"
    cut.write_bytes(data[: int(share * len(data))])
    refuse(cut, "no complete file")


def test_a_pickle_is_not_loaded(tmp_path):
    path, marker = tmp_path / "model.skin", tmp_path / "marker"
    path.write_bytes(pickle.dumps(Bomb(marker)))
    refuse(path, "looks like a pickle")
    assert not marker.exists()


@pytest.mark.parametrize("name", ["estimator.skops", "weights/0.safetensors", "card.json"])
def test_a_pickle_in_the_place_of_a_part_is_not_loaded(parts, tmp_path, name):
    path, marker = tmp_path / "model.skin", tmp_path / "marker"
    write_archive(path, parts | {name: pickle.dumps(Bomb(marker))})
    if name == "card.json":
        with pytest.raises(ModelFileError, match="cannot be read"):
            model_card(path)
    else:
        refuse(path, "damaged|cannot be read")
    assert not marker.exists()


def test_objects_in_arrays_are_not_unpickled(tmp_path):
    marker, buffer = tmp_path / "marker", io.BytesIO()
    np.save(buffer, np.array([Bomb(marker)]), allow_pickle=True)
    with ZipFile(io.BytesIO(dump_part(np.arange(3.0)))) as original:
        names = {name: original.read(name) for name in original.namelist()}
    array = next(name for name in names if name.endswith(".npy"))
    with pytest.raises(ModelFileError, match="allow_pickle=False"):
        load_part(zipped(names | {array: buffer.getvalue()}))
    assert not marker.exists()


def zipped(members, compression=0):
    buffer = io.BytesIO()
    with ZipFile(buffer, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


EVIL = {
    "os.system": {"__class__": "system", "__module__": "os", "__loader__": "FunctionNode"},
    "builtins.eval": {"__class__": "eval", "__module__": "builtins", "__loader__": "TypeNode"},
    "evil.Type": {
        "__class__": "Type",
        "__module__": "evil",
        "__loader__": "ObjectNode",
        "content": {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode",
                    "content": "{}", "is_json": True, "__id__": 2},
    },
}  # fmt: skip


@pytest.mark.parametrize("name", EVIL)
def test_unknown_types_are_refused_before_anything_is_imported(parts, tmp_path, name):
    schema = EVIL[name] | {"__id__": 1, "protocol": 2, "_skops_version": "0.16.0"}
    path = tmp_path / "model.skin"
    write_archive(path, parts | {"estimator.skops": zipped({"schema.json": json.dumps(schema)})})
    refuse(path, f"not trusted: .*{name}")


def write_members(path, members, comment=True):
    """Write a zip with the right hash at its end, whatever is in it."""
    with _archive.replacing(path) as file:
        hashed = _archive._Hashed(file)
        with ZipFile(hashed, "w") as archive:
            archive.comment = _archive._MARK + _archive._NO_DIGEST
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about names that are there twice
                for info, data in members:
                    archive.writestr(info, data)
        file.seek(-64, 2)
        file.write(hashed.digest.hexdigest().encode())


def link(name):
    info = ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def compressed(name):
    info = ZipInfo(name)
    info.compress_type = ZIP_DEFLATED
    return info


@pytest.mark.parametrize(
    ("info", "match"),
    [
        (ZipInfo("../escaped.json"), "no part of a model"),
        (ZipInfo("/tmp/escaped.json"), "no part of a model"),
        (ZipInfo("weights/../../escaped.json"), "no part of a model"),
        (ZipInfo("C:\\escaped.json"), "no part of a model"),
        (ZipInfo("folder/"), "no part of a model"),
        (ZipInfo("model.pkl"), "no part of a model"),
        (link("weights/1.safetensors"), "no part of a model"),
        (compressed("weights/1.safetensors"), "compressed"),
        (ZipInfo("model.json"), "twice"),
    ],
)
def test_members_that_no_model_has_are_refused(parts, tmp_path, info, match):
    path = tmp_path / "model.skin"
    write_members(path, [*parts.items(), (info, b"0" * 1000)])
    refuse(path, match)
    assert [found.name for found in tmp_path.iterdir()] == ["model.skin"]


def test_a_bomb_is_refused_by_what_it_declares(parts, tmp_path):
    path = tmp_path / "model.skin"
    # A gigabyte of zeros in a megabyte.
    write_members(path, [*parts.items(), (compressed("weights/1.safetensors"), bytes(2**26))])
    refuse(path, "compressed")
    bomb = zipped({"schema.json": b" " * 2**26}, ZIP_DEFLATED)
    write_archive(path, parts | {"estimator.skops": bomb})
    refuse(path, "compressed")


def test_an_array_that_is_read_many_times_is_refused():
    with ZipFile(io.BytesIO(dump_part([np.arange(1000.0)]))) as original:
        names = {name: original.read(name) for name in original.namelist()}
    schema = json.loads(names["schema.json"])
    node = schema["content"][0]
    schema["content"] = [node | {"__id__": i} for i in range(1000)]
    with pytest.raises(ModelFileError, match="several names"):
        load_part(zipped(names | {"schema.json": json.dumps(schema)}))


def safetensors(header, data=b""):
    header = json.dumps(header).encode()
    return struct.pack("<Q", len(header)) + header + data


LYING = {
    "longer than the file": struct.pack("<Q", 2**60) + b"{}",
    "offsets behind the end": safetensors(
        {"w": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}
    ),
    "shape and offsets differ": safetensors(
        {"w": {"dtype": "F32", "shape": [100], "data_offsets": [0, 4]}}, b"1234"
    ),
    "no JSON": struct.pack("<Q", 4) + b"{{{{",
    "other tensors": safetensors(
        {"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, b"1234"
    ),
}


@pytest.mark.parametrize("kind", LYING)
def test_weights_with_a_lying_header_are_refused(parts, tmp_path, kind):
    path = tmp_path / "model.skin"
    write_archive(path, parts | {"weights/0.safetensors": LYING[kind]})
    refuse(path, "cannot be read")


def edit(part, old, new):
    """Return a skops file with another text in its schema."""
    with ZipFile(io.BytesIO(part)) as original:
        names = {name: original.read(name) for name in original.namelist()}
    text = names["schema.json"].decode()
    assert old in text
    return zipped(names | {"schema.json": text.replace(old, new)})


def test_a_network_that_is_larger_than_its_weights_is_not_made(tmp_path):
    path, net = tmp_path / "model.skin", fitted_model("weighted-fusion")
    save_model(net, path)
    with open_archive(path) as archive:
        parts = {name: archive.read(name) for name in archive.names}
    # A backbone of 1.2 GB in the place of one of 2 MB.
    part = edit(parts["estimator.skops"], "test_resnet", "vit_huge_patch14_224")
    write_archive(path, parts | {"estimator.skops": part})
    refuse(path, "far larger than the weights")


def test_folders_in_a_file_are_not_used(tmp_path, monkeypatch):
    path, net = tmp_path / "model.skin", copy.copy(fitted_model("bf16")[-1])
    net.cache_dir, net.checkpoint_dir = str(tmp_path / "elsewhere"), str(tmp_path / "elsewhere")
    with monkeypatch.context() as patched:
        # As whoever writes a file by hand would.
        patched.setattr(_parts, "_PLACES", {})
        save_model(net, path)
    assert b"elsewhere" in path.read_bytes()
    loaded = load_model(path)
    assert loaded.cache_dir == "auto" and loaded.checkpoint_dir is None
    assert loaded._recipe.cache_dir == "auto"


def test_weights_are_used_once(tmp_path):
    path = tmp_path / "model.skin"
    save_model(fitted_model("calibrated"), path)
    with open_archive(path) as archive:
        parts = {name: archive.read(name) for name in archive.names}
    part = edit(parts["estimator.skops"], "weights/1.", "weights/0.")
    write_archive(path, parts | {"estimator.skops": part})
    refuse(path, "cannot be read")


def test_weights_that_are_gone_are_refused(parts, tmp_path):
    path = tmp_path / "model.skin"
    write_archive(path, {n: p for n, p in parts.items() if not n.startswith("weights/")})
    refuse(path, "cannot be read")


def _forest():
    X = np.random.default_rng(0).normal(size=(60, 3))
    return RandomForestClassifier(2, random_state=0).fit(X, np.arange(60) % 2), X


@pytest.mark.parametrize(
    ("field", "value"),
    [("left_child", 10**6), ("right_child", -5), ("feature", 3), ("left_child", 0)],
)
def test_trees_that_lead_nowhere_are_refused(field, value):
    forest, _ = _forest()
    data = dump_part(forest)
    with ZipFile(io.BytesIO(data)) as original:
        names = {name: original.read(name) for name in original.namelist()}
    for name, content in names.items():
        if name.endswith(".npy"):
            array = np.load(io.BytesIO(content), allow_pickle=False)
            if array.dtype.names and "left_child" in array.dtype.names:
                array[field][0] = value
                buffer = io.BytesIO()
                np.save(buffer, array, allow_pickle=False)
                names[name] = buffer.getvalue()
    with pytest.raises(ModelFileError, match="scikit-learn cannot have made"):
        load_part(zipped(names))


def test_a_forest_with_fewer_features_than_its_trees_is_refused():
    forest, _ = _forest()
    forest.n_features_in_ = 2
    with pytest.raises(ModelFileError, match="trees of other features"):
        load_part(dump_part(forest))


def test_a_support_vector_machine_of_other_sizes_is_refused():
    X, y = make_table("array"), np.arange(20) % 3
    svm = SVC().fit(X, y)
    svm._dual_coef_ = svm._dual_coef_[:, :2]
    with pytest.raises(ModelFileError, match="support vector machine of other sizes"):
        load_part(dump_part(svm))


def test_what_is_no_file_is_told_apart(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no model file"):
        load_model(tmp_path / "nowhere.skin")
    refuse(tmp_path, "is not a file")


def test_a_later_format_is_told_of(parts, tmp_path):
    path = tmp_path / "model.skin"
    manifest = json.loads(parts["model.json"]) | {"format": 2}
    write_archive(path, parts | {"model.json": json.dumps(manifest).encode()})
    refuse(path, "format 2, and this version of sklearn_skin reads 1")


def test_another_version_is_told_of_with_both(parts, tmp_path):
    path = tmp_path / "model.skin"
    manifest = json.loads(parts["model.json"])
    here = manifest["versions"]["numpy"]
    manifest["versions"] |= {"numpy": "1.2.3", "torch": manifest["versions"]["torch"] + "x1"}
    write_archive(path, parts | {"model.json": json.dumps(manifest).encode()})
    with pytest.warns(UserWarning, match=rf"numpy 1\.2\.3 \(here {here}\)"):
        load_model(path)


def test_another_build_of_torch_is_no_other_version(parts, tmp_path):
    path = tmp_path / "model.skin"
    manifest = json.loads(parts["model.json"])
    manifest["versions"]["torch"] = manifest["versions"]["torch"].partition("+")[0] + "+cu129"
    write_archive(path, parts | {"model.json": json.dumps(manifest).encode()})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_model(path)
