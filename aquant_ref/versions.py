"""Report the versions of everything that results depend on."""

from __future__ import annotations

import platform
from importlib.metadata import version

from aquant_ref import __version__


def versions() -> dict[str, str]:
    """Return the versions of this package, Python, the packages that compute, and the machine."""
    packages = ("numpy", "scipy", "autograd", "pillow")
    return {
        "aquant_ref": __version__,
        "python": platform.python_version(),
        **{package: version(package) for package in packages},
        "machine": f"{platform.system()} {platform.machine()}",
    }
