"""The page's style and scripts, all within the page, and the policy that allows them and nothing else."""

import base64
import hashlib
from functools import cache

import jinja2
import vl_convert
from markupsafe import Markup

from reports.names import FRAMEWORKS, OTHER_COLOUR


def page_assets(environment: jinja2.Environment) -> dict[str, Markup]:
    """style, bundle (Vega, Vega-Lite, Vega-Embed), script and the hashes for the content security policy."""
    style = _source(environment, "style.css") + _colours()
    script = _source(environment, "page.js")
    bundle = _bundle()
    if any("</script" in text.lower() for text in (bundle, script)):
        raise RuntimeError("a script holds the end of its own element")
    return {
        "style": Markup(style),
        "bundle": Markup(bundle),
        "script": Markup(script),
        "style_hashes": Markup(_hash(style)),
        "script_hashes": Markup(f"{_hash(bundle)} {_hash(script)}"),
    }


@cache
def _bundle() -> str:
    return str(vl_convert.javascript_bundle(snippet="window.vegaEmbed = vegaEmbed;")).replace(
        "\r\n", "\n"
    )  # a browser hashes the text with plain newlines


def _source(environment: jinja2.Environment, name: str) -> str:
    if environment.loader is None:
        raise RuntimeError("the environment has no templates")
    return environment.loader.get_source(environment, name)[0]


def _colours() -> str:
    """A class for each framework: the policy forbids colours in style attributes."""
    colours = {f"fw-{name}": framework.colour for name, framework in FRAMEWORKS.items()} | {"fw-other": OTHER_COLOUR}
    return "".join(f".{name} {{ color: {colour}; }}\n" for name, colour in colours.items())


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
