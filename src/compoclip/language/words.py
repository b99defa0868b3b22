"""Word lists as text, so that they read as lists of words."""


def word_set(text: str) -> frozenset[str]:
    """The words of a text, separated by white space."""
    return frozenset(text.split())
