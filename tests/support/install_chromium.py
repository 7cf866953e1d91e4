"""Installs Chromium, which the tests of pages drive, where the machine has none.

``python -m tests.support.install_chromium`` does it ahead of the tests, which do not install one themselves:
that may need the system's package manager. The first of these that exists or can be installed is used:

- the one that the environment variable ``CHROMIUM`` names, or that is on ``PATH``: Chromium or Chrome,
- Debian's package, for root on Debian, with the libraries that Chromium needs: the headless one, which needs
  a third of the processor time because it creates no user interface for each context,
- the build that Playwright downloads, and for root where there is apt its libraries.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.support.npm_package import InstallError, run

# Root may not use Chromium's sandbox; the browser makes no requests but those of its pages.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)

_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium() -> Path | None:
    """Return the installed Chromium, None if there is none.

    Raises
    ------
    InstallError
        ``CHROMIUM`` does not name a program.
    """
    if named := os.environ.get("CHROMIUM"):
        if found := shutil.which(named):
            return Path(found)
        raise InstallError(f"CHROMIUM is {named}, which is not a program.")
    if found := next(filter(None, map(shutil.which, _NAMES)), None):
        return Path(found)
    with sync_playwright() as playwright:
        own = Path(playwright.chromium.executable_path)
    return own if own.exists() else None


def install() -> Path:
    """Return a Chromium, after installing one if need be.

    Raises
    ------
    InstallError
        There is none, and none could be installed.
    """
    if found := chromium():
        return found
    may_use_apt = os.geteuid() == 0 and shutil.which("apt-get") is not None
    # Ubuntu's package is a snap, which containers cannot run.
    if may_use_apt and _distribution() == "debian":
        run(["apt-get", "update", "--quiet"])
        apt_install = ["apt-get", "install", "--quiet", "--yes", "--no-install-recommends"]
        try:
            run([*apt_install, "chromium-headless-shell"])
        except InstallError:
            # Debian 11 has none.
            run([*apt_install, "chromium"])
    else:
        libraries = ["--with-deps"] if may_use_apt else []
        run([sys.executable, "-m", "playwright", "install", *libraries, "chromium"])
    if found := chromium():
        return found
    raise InstallError("Chromium was installed but cannot be found.")


def _distribution() -> str:
    """Return the name of the Linux distribution, empty on another system."""
    try:
        return platform.freedesktop_os_release()["ID"]
    except OSError:
        return ""


if __name__ == "__main__":
    try:
        print(f"Chromium is {install()}")
    except InstallError as error:
        sys.exit(f"Chromium, which the tests of pages drive, could not be installed: {error}")
