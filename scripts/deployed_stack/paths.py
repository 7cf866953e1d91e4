"""Paths in the checkout."""

from pathlib import Path

# The tools are installed in editable mode, so this file is in the checkout.
ROOT = Path(__file__).resolve().parents[2]
SAM = ROOT / ".venv-sam/bin/sam"
