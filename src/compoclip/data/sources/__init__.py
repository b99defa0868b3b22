"""Sources of training data: images with captions, from any of the usual files. See `open_source`."""

from compoclip.data.images import ImageRef
from compoclip.data.report import Report
from compoclip.data.sources.base import Sample, Source
from compoclip.data.sources.opening import open_source

__all__ = ["ImageRef", "Report", "Sample", "Source", "open_source"]
