"""The teacher equals a float64 loop, shares what is frozen, and copies buffers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from compoclip.errors import InputError
from compoclip.models.lora import Lora
from compoclip.models.teacher import Teacher

from .clips import captions


def _move(student: nn.Module, step: int) -> None:
    generator = torch.Generator().manual_seed(step)
    with torch.no_grad():
        for parameter in student.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))


@pytest.mark.parametrize("decay", [0.9, 0.9996, 0.3])
def test_it_is_the_moving_average(clip, decay):
    student = clip("vit").clip
    teacher = Teacher(student, decay)
    expected = {n: p.detach().double().clone() for n, p in student.named_parameters()}
    for step in range(6):
        _move(student, step)
        teacher.update()
        for name, parameter in student.named_parameters():
            expected[name] = decay * expected[name] + (1 - decay) * parameter.detach().double()
    assert not teacher.clip.training
    for name, parameter in teacher.clip.named_parameters():
        assert not parameter.requires_grad
        torch.testing.assert_close(parameter.double(), expected[name], rtol=1e-5, atol=1e-6)


def test_decay_one_stays_and_decay_zero_follows_exactly(clip):
    student = clip("vit").clip
    start = {n: p.detach().clone() for n, p in student.named_parameters()}
    still, shadow = Teacher(student, 1.0), Teacher(student, 0.0)
    for step in range(3):
        _move(student, step)
        still.update()
        shadow.update()
    for name, parameter in student.named_parameters():
        assert torch.equal(still.clip.get_parameter(name), start[name])
        assert torch.equal(shadow.clip.get_parameter(name), parameter)
    assert not torch.equal(student.text_projection, start["text_projection"])


@pytest.mark.parametrize("decay", [-0.1, 1.1, float("nan")])
def test_other_decays_are_refused(clip, decay):
    with pytest.raises(InputError, match="must be between 0 and 1"):
        Teacher(clip("vit").clip, decay)


def test_frozen_parameters_are_shared_and_others_are_not(clip):
    student = clip("vit").clip
    for parameter in student.visual.parameters():
        parameter.requires_grad_(False)
    teacher = Teacher(student)
    for name, parameter in student.named_parameters():
        shared = teacher.clip.get_parameter(name).data_ptr() == parameter.data_ptr()
        assert shared == name.startswith("visual."), name
    assert student.text_projection.requires_grad  # making a teacher freezes nothing of the student


def test_it_follows_lora_factors(clip):
    model = clip("vit")
    Lora(model.clip)
    teacher = Teacher(model.clip, 0.5)
    ids = model.tokenize(captions(3))
    weight = "visual.transformer.resblocks.0.mlp.c_fc"
    base = model.clip.get_submodule(weight).base_layer.weight
    assert teacher.clip.get_submodule(weight).base_layer.weight is base
    before = teacher.clip.encode_text(ids).detach()
    _move(model.clip, 0)
    torch.testing.assert_close(teacher.clip.encode_text(ids).detach(), before)
    teacher.update()
    factor = model.clip.get_submodule(weight).lora_B["default"].weight
    torch.testing.assert_close(teacher.clip.get_submodule(weight).lora_B["default"].weight, factor / 2)
    assert (teacher.clip.encode_text(ids).detach() - before).abs().max() > 1e-4


def test_buffers_are_copied(clip):
    student = clip("resnet").clip
    teacher = Teacher(student, 0.9)
    student.visual.bn1.running_mean.fill_(7.0)
    student.visual.bn1.num_batches_tracked.fill_(5)
    assert not torch.equal(teacher.clip.visual.bn1.running_mean, student.visual.bn1.running_mean)
    teacher.update()
    assert torch.equal(teacher.clip.visual.bn1.running_mean, student.visual.bn1.running_mean)
    assert teacher.clip.visual.bn1.num_batches_tracked == 5
