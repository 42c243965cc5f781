"""What commands share: when settings are read, and that naming the commands costs no library."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mqbg.commands.app import app
from mqbg.commands.options import require_readable_settings, write_json
from mqbg.commands.training import require_conversions
from mqbg.contract import BadInput
from typer.main import get_command


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


def trained_from(conversions: int) -> Any:
    summary = SimpleNamespace(rows=1200, conversions=conversions)
    return SimpleNamespace(bundle=SimpleNamespace(training=summary))


def test_a_training_without_conversions_is_registered_on_demand_alone():
    require_conversions(trained_from(1), allow_rules=False)
    require_conversions(trained_from(0), allow_rules=True)
    with pytest.raises(BadInput, match=r"found none among 1,200 snapshots.*--allow-rules"):
        require_conversions(trained_from(0), allow_rules=False)


@pytest.mark.parametrize("name", sorted(get_command(app).commands))
def test_every_command_with_a_result_writes_it_as_json_on_request(name):
    options = {one for of in get_command(app).commands[name].params for one in of.opts}
    assert ("--json" in options) == (name != "serve")  # which ends with no result


def test_a_result_as_json_has_instants_as_text_and_no_nan(tmp_path):
    file = tmp_path / "result.json"
    write_json(file, {"as_of": datetime(2024, 5, 1), "out": Path("here"), "name": "佐藤"})
    text = file.read_text(encoding="utf-8")
    assert json.loads(text) == {"as_of": "2024-05-01T00:00:00", "out": "here", "name": "佐藤"}
    assert "佐藤" in text
    with pytest.raises(ValueError, match="Out of range"):
        write_json(file, {"share": float("nan")})
    assert file.read_text(encoding="utf-8") == text
    write_json(None, {})
