"""The benchmark suite: asv's classes declare what is measured, `session` measures it, the plugins keep it."""
