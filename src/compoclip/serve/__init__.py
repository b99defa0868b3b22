"""`compoclip serve`: what `explain` draws, as a web page for one's own use."""

from compoclip.serve.app import serve

__all__ = ["serve"]
