"""Installation of Chromium, which the browser tests need, on machines that have none.

Run ``python -m tests.support.install_chromium`` before the tests. The tests do not install Chromium
themselves, because the installation may need the system's package manager. The first available program of
this list is used:

- the program that the environment variable ``CHROMIUM`` names, or Chromium or Chrome on ``PATH``,
- for root on Debian: Debian's headless package and its dependencies. It needs a third of the processor time,
  because it creates no user interface for each context,
- Playwright's build; for root on other systems with apt, also the libraries that it needs.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.support.npm_package import InstallError, run

# The root user cannot use Chromium's sandbox. Some of the other flags disable requests that no page makes.
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
    """Return the path of the installed Chromium, or None.

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
    """Return the path of Chromium, after installing it if it is missing.

    Raises
    ------
    InstallError
        Chromium could not be installed.
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
            # Debian 11 has no headless package.
            run([*apt_install, "chromium"])
    else:
        libraries = ["--with-deps"] if may_use_apt else []
        run([sys.executable, "-m", "playwright", "install", *libraries, "chromium"])
    if found := chromium():
        return found
    raise InstallError("Chromium was installed but cannot be found.")


def _distribution() -> str:
    """Return the id of the Linux distribution; empty on other systems."""
    try:
        return platform.freedesktop_os_release()["ID"]
    except OSError:
        return ""


if __name__ == "__main__":
    try:
        print(f"Chromium is {install()}")
    except InstallError as error:
        sys.exit(f"Chromium, which the browser tests need, could not be installed: {error}")
