"""Exports of a simulated world: what is planted in them, and how ids and numbers are made."""

import doctest
import filecmp
import zipfile
from typing import get_type_hints

import pandas as pd
import pytest
from mqbg.commands import data as commands
from mqbg.contract import BadInput
from mqbg.simulate import simulate
from mqbg.simulate.export import SHAPES, salesforce, spellings
from mqbg.simulate.export.salesforce import salesforce_id
from mqbg.simulate.export.spellings import corporate_number, person_name

SIMULATE_HELP = (
    get_type_hints(commands.simulate, include_extras=True)["export"].__metadata__[0].help
)


@pytest.fixture(scope="module")
def two_worlds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("worlds")
    for name in ("one", "again"):
        simulate(folder / name, groups=5, seed=2, exports=tuple(SHAPES))
    return folder / "one", folder / "again"


@pytest.mark.parametrize("module", [salesforce, spellings])
def test_the_examples_of_the_docstrings_hold(module):
    assert doctest.testmod(module).failed == 0


def test_the_same_seed_gives_the_same_bytes_in_every_shape(two_worlds):
    one, again = two_worlds
    files = [path.relative_to(one) for path in sorted(one.rglob("*")) if path.is_file()]
    assert len(files) > 60
    differing = [str(name) for name in files if not filecmp.cmp(one / name, again / name, False)]
    assert differing == []


def test_every_shape_has_its_truth_beside_it(two_worlds):
    world = two_worlds[0]
    for shape in SHAPES:
        truth = {one.stem for one in (world / "truth" / "exports" / shape).iterdir()}
        assert truth == {"identities", "activities", "members", "stage_events", "deals"}
        assert list((world / "exports" / shape).iterdir())


def test_the_command_names_every_shape():
    assert [shape for shape in SHAPES if shape not in SIMULATE_HELP] == []


def test_second_records_merges_and_leads_are_planted(two_worlds):
    world = two_worlds[0]
    with zipfile.ZipFile(next((world / "exports" / "salesforce_export").iterdir())) as packed:
        with packed.open("Contact.csv") as file:
            contacts = pd.read_csv(file)
        with packed.open("Lead.csv") as file:
            leads = pd.read_csv(file)
    assert contacts.MasterRecordId.notna().sum() == contacts.IsDeleted.sum() > 0
    assert set(leads.ConvertedContactId) <= set(contacts.Id)
    truth = pd.read_parquet(
        world / "truth" / "exports" / "salesforce_export" / "identities.parquet"
    )
    records = truth[truth.source_table == "Contact"].groupby("id").source_id.nunique()
    assert (records > 1).sum() > contacts.MasterRecordId.notna().sum()  # merged, and unnoticed ones


def test_ids_of_salesforce_differ_whatever_their_case():
    ids = {salesforce_id("003", number) for number in range(3000)}
    assert len({one.lower() for one in ids}) == 3000
    assert {len(one) for one in ids} == {18}


def test_the_check_digit_is_the_one_of_the_tax_agency():
    # Of the register's own example, 5835678256246.
    assert corporate_number(835_678_256_246) == "5835678256246"


def test_names_differ_from_each_other_in_every_writing():
    for japanese in (True, False):
        names = [person_name(place, japanese=japanese) for place in range(570)]
        assert len({(one.family, one.given) for one in names}) == 570
        assert len({one.box for one in names}) == 570


def test_a_shape_that_there_is_not_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(BadInput, match="hubspot_ui_ja"):
        simulate(tmp_path / "out", groups=5, exports=("hubspot",))
    assert not (tmp_path / "out").exists()
