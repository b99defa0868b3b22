"""What the zero-shot forms share: every class's name in every template, averaged to one vector a class."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from compoclip.evaluation import classification
from compoclip.evaluation.forms.base import Encoded
from compoclip.evaluation.pictures import Picture
from compoclip.evaluation.protocols import Array


class Prompted:
    """A form with `images`, `class_names` and `templates` (each with "{}" once)."""

    images: Sequence[Picture]
    class_names: Sequence[str]
    templates: Sequence[str]

    @cached_property
    def prompts(self) -> list[str]:
        """Class by class, template by template."""
        return [t.replace("{}", c) for c in self.class_names for t in self.templates]

    def pictures(self) -> Sequence[Picture]:
        return self.images

    def captions(self) -> Sequence[str]:
        return self.prompts

    def class_vectors(self, encoded: Encoded) -> Array:
        """(C, D), see `classification.classifier`."""
        text = encoded.text(self.prompts).reshape(len(self.class_names), len(self.templates), -1)
        return classification.classifier(text)
