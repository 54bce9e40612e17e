"""A run's manifest as read from disk: every top-level key has its expected type afterwards, so nobody checks again."""

import json
from pathlib import Path
from typing import Any

SCHEMA_VERSION = 1

Manifest = dict[str, Any]

# What a manifest holds, with the value that stands for "not recorded".
SHAPE: dict[str, Any] = {
    "run_id": "",
    "started_at": "",
    "finished_at": "",
    "machine": "",
    "label": "",
    "commit": "",
    "dirty": False,
    "env_name": "",
    "profile": {},
    "threads": None,
    "precision": "",
    "versions": {},
    "frameworks": {},
    "facts": {},
    "fingerprint": "",
    "readiness": {},
    "conditions": {},
    "environment": {},
    "certificates": [],
    "failures": [],
    "curves": [],
    "stage_conditions": [],
    "latencies": [],
    "pairs": [],
    "kernels": {},
    "ceilings": {},
    "time": {},
}
TEXT_KEYS = ("workload", "framework", "mode", "size", "phase", "reference", "kind", "message", "error", "sizes")


class BadFileError(Exception):
    """A file that cannot be used; the text says why, in a few words."""


def read_json(path: Path) -> Any:
    """Parsed JSON (bare NaN and Infinity allowed, as asv writes them). Raises BadFileError."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadFileError(error.strerror or "cannot be read") from error
    except ValueError as error:
        raise BadFileError(f"not JSON, or cut off: {error}") from error
    except RecursionError as error:
        raise BadFileError("nested too deeply") from error


def read_manifest(path: Path) -> Manifest:
    """A manifest in SHAPE. Raises BadFileError when the file is no manifest that this program knows."""
    raw = read_json(path)
    if not isinstance(raw, dict):
        raise BadFileError("not a manifest: no JSON object")
    if raw.get("schema_version") != SCHEMA_VERSION:
        raise BadFileError(f"schema_version is {raw.get('schema_version')!r}, this program reads {SCHEMA_VERSION}")
    missing = [key for key in ("run_id", "machine", "commit", "env_name") if not isinstance(raw.get(key), str)]
    if missing:
        raise BadFileError(f"no {', '.join(missing)}")
    return in_shape(raw)


def in_shape(raw: Manifest) -> Manifest:
    """Every key of SHAPE with a value of its type; what has another type is treated as not recorded."""
    manifest = {key: _typed(raw.get(key), default) for key, default in SHAPE.items()}
    for key in ("certificates", "failures", "curves", "stage_conditions", "latencies", "pairs"):
        manifest[key] = [_texts(entry) for entry in manifest[key] if isinstance(entry, dict)]
    manifest["frameworks"] = {
        name: entry if isinstance(entry, dict) else {} for name, entry in manifest["frameworks"].items()
    }
    return manifest


def _typed(value: Any, default: Any) -> Any:
    if default is None:
        return value if isinstance(value, int | float | str) else None
    return value if isinstance(value, type(default)) else default


def _texts(entry: dict[str, Any]) -> dict[str, Any]:
    """The text fields of one certificate, failure, curve or stage as text; absent reads ''."""
    texts = {key: "" if entry.get(key) is None else str(entry[key]) for key in TEXT_KEYS}
    return {**entry, **texts}
