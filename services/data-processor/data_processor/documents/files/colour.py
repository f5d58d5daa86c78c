"""Colours as a screen shows them: 8 bits, sRGB."""

from __future__ import annotations

import contextlib
import io

from PIL import Image, ImageCms

_SPACES = {"L": "GRAY", "RGB": "RGB ", "CMYK": "CMYK", "LAB": "Lab "}
"""The colour space of a profile that fits to pictures of a mode."""
_WHITE = "white"


def readable(image: Image.Image) -> Image.Image:
    """Return the image in a mode that can be scaled: 8 bits for each channel, and no palette."""
    if image.mode.startswith("I;16"):
        # Pillow's own conversion cuts off: everything above 255 would be white.
        return _native(image).point(lambda value: value * (1 / 257)).convert("L")
    if image.mode in ("I", "F"):
        deep = image.convert("F")
        low, high = (float(bound) for bound in deep.getextrema())  # type: ignore[arg-type]  # the image has one band
        scale = 255 / ((high - low) or 1.0)
        return deep.point(lambda value: value * scale - low * scale).convert("L")
    if image.mode in ("L", "RGB", "RGBA", "CMYK", "LAB"):
        return image
    if image.has_transparency_data:
        return image.convert("RGBA")
    return image.convert("L" if image.mode == "1" else "RGB")


def srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Return a `readable` image as L, RGB or RGBA, with its colour profile applied. Unusable profiles are ignored."""
    if profile:
        with contextlib.suppress(ImageCms.PyCMSError, OSError, ValueError, TypeError):
            return _converted(image, profile)
    if image.mode in ("L", "RGB", "RGBA"):
        return image.convert("RGBA") if image.has_transparency_data else image
    return image.convert("RGB")


def on_white(image: Image.Image) -> Image.Image:
    """Return an image without transparency, on white paper."""
    if not image.has_transparency_data:
        return image
    paper = Image.new("RGBA", image.size, _WHITE)
    paper.alpha_composite(image.convert("RGBA"))
    return paper.convert("RGB")


def _native(image: Image.Image) -> Image.Image:
    return image if image.mode == "I;16" else image.convert("I").convert("I;16")


def _converted(image: Image.Image, profile: bytes) -> Image.Image:
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    alpha = image.convert("RGBA").getchannel("A") if image.has_transparency_data else None
    opaque = image.convert("RGB") if alpha is not None and image.mode != "L" else image
    if source.profile.xcolor_space != _SPACES.get(opaque.mode):
        raise ValueError(f"a profile for {source.profile.xcolor_space} does not fit to {opaque.mode}")
    converted = ImageCms.profileToProfile(opaque, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    assert converted is not None  # noqa: S101  # it is None only for inPlace
    if alpha is not None:
        converted.putalpha(alpha)
    return converted
