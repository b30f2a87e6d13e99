"""Experiment files to be written."""

from pathlib import Path
from typing import Any

import pytest
from experiments import XOR


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write(text: str = XOR, **replacements: str) -> Path:
        for old, new in replacements.items():
            text = text.replace(old, new)
        path = tmp_path / "xor.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write
