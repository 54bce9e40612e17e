"""Text from results that is to stay text wherever it is shown."""

import re


def markdown(text: object) -> str:
    """Text that stays text in a Markdown table cell, on a site that renders HTML in it too."""
    plain = " ".join(str(text).split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_{}\[\]#|~!])", r"\\\1", plain)
