"""Models: open_clip's towers with pooled and dense features, and what training does to them."""

from compoclip.models.load import load
from compoclip.models.model import Model
from compoclip.models.save import save

__all__ = ["Model", "load", "save"]
