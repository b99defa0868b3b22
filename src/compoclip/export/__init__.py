"""Models handed on: as open_clip, Hugging Face, ONNX or an adapter, each compared with what it was made from."""

from compoclip.export.convert import convert
from compoclip.export.fingerprint import fingerprint

__all__ = ["convert", "fingerprint"]
