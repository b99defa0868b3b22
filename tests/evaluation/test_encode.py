"""Each image and caption is encoded once; broken features are named."""

from __future__ import annotations

import numpy as np
import pytest
from tests.evaluation.fakes import RandomModel

from compoclip.errors import InputError
from compoclip.evaluation.encode import encode
from compoclip.evaluation.images import from_array


def pictures(n: int) -> list:
    return [from_array(np.full((2, 2, 3), i, np.uint8), f"picture {i}") for i in range(n)]


def test_duplicates_are_encoded_once_and_found_again() -> None:
    model, some = RandomModel(), pictures(5)
    bank = encode(model, [*some, *some, *some[:2]], ["b", "a", "b", "ccc"], batch_size=2)
    assert (model.images, model.texts) == (5, 3)
    assert bank.images.dtype == np.float32
    direct = RandomModel().encode_image([p.load() for p in some])
    np.testing.assert_array_equal(bank.image([some[3], some[0], some[3]]), direct[[3, 0, 3]])
    np.testing.assert_array_equal(bank.text(["b", "a"]), RandomModel().encode_text(["b", "a"]))


def test_preprocess_is_used_where_a_model_has_one() -> None:
    import torch

    class Tensors(RandomModel):
        def preprocess(self, image):  # type: ignore[no-untyped-def]
            return torch.full((3, 2, 2), float(image.getpixel((0, 0))[0]))

        def encode_image(self, images, batch_size=64):  # type: ignore[no-untyped-def]
            assert isinstance(images, torch.Tensor)
            return torch.nn.functional.normalize(images.flatten(1) + 1.0, dim=1)

    bank = encode(Tensors(), pictures(3), ["a"], batch_size=2)
    assert bank.images.shape == (3, 12)


def test_features_not_of_unit_length_are_normalised() -> None:
    class Long(RandomModel):
        def encode_text(self, texts, batch_size=64):  # type: ignore[no-untyped-def]
            return 7 * super().encode_text(texts)

    bank = encode(Long(), [], ["a", "b"])
    np.testing.assert_allclose(np.linalg.norm(bank.texts, axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_feature_that_is_no_number_names_its_image(value: float) -> None:
    class Broken(RandomModel):
        def encode_image(self, images, batch_size=64):  # type: ignore[no-untyped-def]
            out = super().encode_image(images)
            out[-1, 3] = value
            return out

    with pytest.raises(InputError, match="picture 2: its feature contains a NaN"):
        encode(Broken(), pictures(3), [], batch_size=8)


def test_zero_features_and_wrong_shapes_are_refused() -> None:
    class Zero(RandomModel):
        def encode_text(self, texts, batch_size=64):  # type: ignore[no-untyped-def]
            return np.zeros((len(texts), 4))

    class Flat(RandomModel):
        def encode_text(self, texts, batch_size=64):  # type: ignore[no-untyped-def]
            return np.zeros(4)

    with pytest.raises(InputError, match="caption 'a': its feature is all zeros"):
        encode(Zero(), [], ["a"])
    with pytest.raises(InputError, match="shape"):
        encode(Flat(), [], ["a"])
