"""Learned stand-ins and modality dropout."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from sklearn_skin.modules import MissingModality


def make(n=2000, k=2, p=4, groups=None, **options):
    torch.manual_seed(0)
    missing = MissingModality([3] * k, p, groups, **options)
    for parameter in missing.parameters():
        nn.init.constant_(parameter, -5.0)
    maps = [torch.full((n, 3, 2, 2), float(j + 1)) for j in range(k)]
    return missing, maps, torch.ones(n, p) if p else None


def hidden(tensor):
    return (tensor == -5).flatten(1).all(dim=1)


def test_only_missing_images_are_replaced():
    missing, maps, metadata = make(3, allow_missing_images=True)
    present = torch.tensor([[True, True], [False, True], [False, False]])
    filled, same = missing.eval()(maps, metadata, present)
    assert torch.equal(torch.stack([hidden(m) for m in filled], 1), ~present)
    assert_close(filled[1][:2], maps[1][:2])
    assert same is metadata


def test_the_token_learns_and_the_missing_pixels_do_not_matter():
    missing, maps, metadata = make(3, k=1, allow_missing_images=True)
    maps[0].requires_grad_()
    missing(maps, metadata, torch.tensor([[True], [False], [True]]))[0][0].sum().backward()
    assert_close(missing.image_tokens[0].grad, torch.full((3,), 4.0))
    assert_close(maps[0].grad[:, 0, 0, 0], torch.tensor([1.0, 0.0, 1.0]))


def test_missing_images_must_be_allowed():
    missing, maps, metadata = make(2)
    assert not list(missing.parameters())
    missing(maps, metadata, torch.ones(2, 2, dtype=torch.bool))
    with pytest.raises(ValueError, match="allow_missing_images=True"):
        missing(maps, metadata, torch.tensor([[True, False], [True, True]]))


def test_dropout_leaves_every_row_something():
    missing, maps, metadata = make(modality_dropout=0.5)
    filled, changed = missing.train()(maps, metadata, None)
    images = torch.stack([hidden(m) for m in filled], dim=1)
    assert (images.float().mean(dim=0) - 0.5).abs().max() < 0.05
    assert not (images.all(dim=1) & hidden(changed)).any()
    kept = ~images.all(dim=1)
    assert abs(hidden(changed)[kept].float().mean() - 0.5) < 0.05


def test_dropout_without_metadata_keeps_a_present_image():
    missing, maps, _ = make(p=0, allow_missing_images=True, modality_dropout=0.7)
    present = torch.rand(2000, 2) < 0.7
    filled, _ = missing.train()(maps, None, present)
    images = torch.stack([hidden(m) for m in filled], dim=1)
    assert torch.equal(images.all(dim=1), ~present.any(dim=1))
    one, maps, _ = make(k=1, p=0, modality_dropout=0.7)
    assert not hidden(one.train()(maps, None, None)[0][0]).any()


def test_groups_are_hidden_together_and_apart_from_each_other():
    missing, maps, metadata = make(k=1, groups=[[0, 2], [1, 3]], modality_dropout=0.5)
    _, changed = missing.train()(maps, metadata, None)
    gone = changed == -5
    assert torch.equal(gone[:, 0], gone[:, 2]) and torch.equal(gone[:, 1], gone[:, 3])
    assert (gone[:, 0] != gone[:, 1]).any()


def test_nothing_is_dropped_in_evaluation():
    missing, maps, metadata = make(modality_dropout=0.9)
    filled, same = missing.eval()(maps, metadata, None)
    assert all(a is b for a, b in zip(filled, maps, strict=True)) and same is metadata


def test_dropout_repeats_under_a_seed():
    missing, maps, metadata = make(modality_dropout=0.5)
    found = []
    for _ in range(2):
        torch.manual_seed(3)
        found.append(missing.train()(maps, metadata, None)[1])
    assert_close(*found)


@pytest.mark.parametrize("p", [-0.1, 1.0])
def test_dropout_range(p):
    with pytest.raises(ValueError, match=r"`modality_dropout` must be in \[0, 1\)"):
        MissingModality([3], 2, modality_dropout=p)
