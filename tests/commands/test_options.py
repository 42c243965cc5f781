"""What commands share: when settings are read, and that naming the commands costs no library."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from mqbg.commands.options import require_readable_settings
from mqbg.contract import BadInput


def printed(code: str, folder: Path) -> str:
    """What a fresh process prints, in a working folder."""
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True
    ).stdout


def test_listing_the_commands_imports_neither_pydantic_nor_an_engine(tmp_path):
    code = (
        "import sys, mqbg.commands.app; "
        "print({'pydantic', 'ibis', 'duckdb', 'numpy', 'lightgbm', 'mlflow'} & set(sys.modules))"
    )
    assert printed(code, tmp_path) == "set()\n"


def test_where_there_is_no_file_of_settings_nothing_is_imported_to_check_it(tmp_path):
    code = (
        "import sys; from mqbg.commands.options import require_readable_settings as require; "
        "require(None); print('pydantic' in sys.modules)"
    )
    assert printed(code, tmp_path) == "False\n"
    (tmp_path / "mqbg.toml").write_text("[target]\nhorizon_days = 30\n")
    assert printed(code, tmp_path) == "True\n"


def test_a_file_with_a_fault_is_refused_by_a_command_that_needs_no_settings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mqbg.toml").write_text("[target]\nhorizon = 30\n")
    with pytest.raises(BadInput, match="the nearest known one is 'horizon_days'"):
        require_readable_settings(None)
    with pytest.raises(BadInput, match="none there"):
        require_readable_settings(tmp_path / "other.toml")
