"""Every kind of job that this release knows. Worker processes import this module."""

from __future__ import annotations
