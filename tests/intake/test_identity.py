# ruff: noqa: E501 - rows of exports are read more easily on one line
"""Which records are one: companies and people (名寄せ)."""

import csv
import doctest
from itertools import product

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mqbg.intake.identity import company_names, person_names, readings
from mqbg.intake.identity.accounts import link_companies
from mqbg.intake.identity.company_names import corporate_number, split_company_name
from mqbg.intake.identity.contacts import Edge, cluster_contacts, email_edges
from mqbg.intake.identity.mail_domains import is_free_mail, is_shared_box
from mqbg.intake.identity.matching import model_of_persons, own_mobiles, probable_pairs
from mqbg.intake.identity.readings import readings_of_name, spell_alike
from small_exports import SHARED

NUMBER, OTHER_NUMBER = "6020001008662", "5340001000258"


@pytest.mark.parametrize("module", [company_names, person_names, readings])
def test_the_examples_of_the_docstrings_hold(module):
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    "written",
    [
        "株式会社アクシス",
        "アクシス株式会社",
        "(株)アクシス",
        "㈱アクシス",
        "アクシス（株）",
        "株式会社　アクシス",
        "ｱｸｼｽ株式会社",
    ],
)
def test_a_company_is_one_however_its_form_stands(written):
    assert split_company_name(written) == ("アクシス", "株式会社")


@pytest.mark.parametrize(
    "written",
    ["Axis Tech Inc.", "AXIS TECH, INC", "Axis-Tech Co., Ltd.", "Axis Tech K.K.", "Axis Tech GmbH"],
)
def test_foreign_forms_are_no_part_of_the_name(written):
    assert split_company_name(written)[0] == "axistech"


def test_every_corporate_number_of_the_register_holds_and_its_neighbour_does_not():
    path = SHARED / "edinet_even" / "pairs.csv"
    if not path.exists():
        pytest.skip("the register's extract is not here")
    with path.open(encoding="utf-8-sig") as file:
        numbers = [
            row["corporate_number"] for row in csv.DictReader(file) if row["corporate_number"]
        ]
    assert numbers
    assert all(corporate_number(one) == one for one in numbers)
    assert not any(corporate_number(f"{(int(one[0]) % 9) + 1}{one[1:]}") for one in numbers)


def companies(*rows):
    return pd.DataFrame(rows, columns=["name", "domain", "number"])


def clusters(frame, merges=()):
    return list(link_companies(frame, merges).cluster)


def test_companies_of_two_numbers_are_two_whatever_they_are_called():
    found = clusters(
        companies(("A社", "a.jp", NUMBER), ("A社", "a.jp", OTHER_NUMBER), ("A社", None, None))
    )
    assert len({*found}) == 3


def test_companies_of_one_number_are_one_whatever_they_are_called():
    assert len({*clusters(companies(("A社", "a.jp", NUMBER), ("旧B社", "b.jp", NUMBER)))}) == 1


def test_companies_of_two_forms_are_two():
    assert (
        len({*clusters(companies(("株式会社山田", None, None), ("有限会社山田", None, None)))}) == 2
    )


def test_free_mail_joins_no_companies():
    assert (
        len({*clusters(companies(("A", "docomo.ne.jp", None), ("B", "docomo.ne.jp", None)))}) == 2
    )


def test_the_crm_may_join_what_no_rule_would():
    assert (
        len({*clusters(companies(("A", None, NUMBER), ("B", None, OTHER_NUMBER)), [(0, 1)])}) == 1
    )


@pytest.mark.parametrize(
    "host",
    ["gmail.com", "docomo.ne.jp", "ezweb.ne.jp", "a1.biglobe.ne.jp", "nifty.com", "so-net.ne.jp"],
)
def test_free_mail_is_known(host):
    assert is_free_mail(host)
    assert not is_free_mail("axis.co.jp")


@pytest.mark.parametrize("box", ["info", "sales", "info-tokyo", "contact"])
def test_shared_boxes_are_known(box):
    assert is_shared_box(f"{box}@axis.co.jp")
    assert not is_shared_box("sales.taro@axis.co.jp")


@pytest.mark.parametrize(
    ("one", "other"),
    [("田中 太郎", "Taro Tanaka"), ("タナカ タロウ", "田中太郎"), ("Itoh Yuuko", "伊藤 裕子"), ("本間 信平", "Shimpei HOMMA"),
     ("髙橋 健", "Ken Takahashi")],
)  # fmt: skip
def test_kanji_kana_and_romaji_meet_by_their_reading(one, other):
    assert set(readings_of_name(one)) & set(readings_of_name(other))


@given(
    st.text(
        alphabet="あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもやゆよらりるれろわん",
        max_size=8,
    )
)
def test_hiragana_and_katakana_read_alike(text):
    assert spell_alike(text) == spell_alike("".join(chr(ord(one) + 0x60) for one in text))


def people(*rows):
    frame = pd.DataFrame(rows, columns=["full_name", "email", "phone", "account_id", "email_host"])
    frame.insert(0, "node", range(len(frame)))
    return frame


def test_one_address_is_one_person_and_a_shared_box_is_nobody():
    frame = people(
        ("A B", "a@x.jp", None, "1", None), ("A. B", "a@x.jp", None, "2", None),
        ("C", "info@x.jp", None, "1", None), ("D", "info@x.jp", None, "1", None),
    )  # fmt: skip
    assert [(edge.left, edge.right) for edge in email_edges(frame)] == [(0, 1)]


def test_an_address_under_which_many_names_stand_joins_nobody():
    frame = people(*((f"Name{one} X", "kyotsu@x.jp", None, "1", None) for one in "ABCDE"))
    assert email_edges(frame) == []


def test_whom_a_person_keeps_apart_stays_apart():
    edges = [Edge(0, 1, 1.0, "email"), Edge(1, 2, 1.0, "email")]
    joined = cluster_contacts(3, edges, [])
    apart = cluster_contacts(3, edges, [(0, 1)])
    assert joined.cluster.nunique() == 1
    assert apart.cluster[0] != apart.cluster[1] == apart.cluster[2]


def test_the_model_joins_scripts_in_one_company_and_not_homonyms_in_two():
    crowd = [
        (
            f"{chr(0x4E00 + one)}田 {chr(0x5E00 + one)}子",
            f"p{one}@c{one % 40}.jp",
            None,
            f"C{one % 40}",
            f"c{one % 40}.jp",
        )
        for one in range(200)
    ]
    frame = people(
        *crowd,
        ("田中 太郎", "taro@a.jp", None, "A", "a.jp"), ("Taro Tanaka", None, None, "A", None),
        ("佐藤 花子", "hanako@a.jp", "090-1234-5678", "A", "a.jp"), ("佐藤 花子", None, "+81 90 1234 5678", "B", None),
        ("鈴木 一郎", "i@a.jp", None, "A", "a.jp"), ("鈴木 一郎", "i@b.jp", None, "B", "b.jp"),
    )  # fmt: skip
    pairs = probable_pairs(frame)
    sure = {(left, right) for left, right, p in pairs.itertuples(index=False) if p >= 0.65}
    assert sure == {(200, 201), (202, 203)}


def _contacts(rows):
    frame = pd.DataFrame(rows, columns=["full_name", "account_id", "email", "phone"])
    frame["node"] = range(len(frame))
    frame["email_host"] = frame.email.str.partition("@")[2].where(frame.email.notna(), None)
    return frame


def _clusters(people):
    pairs = probable_pairs(people)
    threshold = model_of_persons()["threshold"]
    edges = email_edges(people) + [
        Edge(int(left), int(right), float(found), "model")
        for left, right, found in pairs[pairs.probability >= threshold].itertuples(index=False)
    ]
    linked = cluster_contacts(len(people), edges, [], list(people.email), own_mobiles(people))
    return list(linked.cluster)


OTHERS = [
    (f"{family} {given}", f"A{place % 40}", f"p{place}@a{place % 40}.co.jp", None)
    for place, (family, given) in enumerate(
        product(("中村", "小林", "加藤", "吉田", "山田", "松本", "井上", "木村", "林", "清水"),
                ("大輔", "直子", "健一", "恵子", "由美", "拓也", "裕子", "陽子", "美咲", "和也"))
    )
]  # fmt: skip


def test_namesakes_with_two_addresses_of_one_company_are_two_people():
    people = _contacts([
        ("佐藤 太郎", "A1", "t.sato@a1.co.jp", None), ("佐藤 太郎", "A1", "taro2@a1.co.jp", None),
        *OTHERS,
    ])  # fmt: skip
    clusters = _clusters(people)
    assert len(set(clusters)) == len(people)


def test_a_mobile_number_of_their_own_outweighs_two_addresses_of_one_company():
    people = _contacts([
        ("佐藤 太郎", "A1", "t.sato@a1.co.jp", "090-1234-5678"),
        ("佐藤 太郎", "A1", "taro2@a1.co.jp", "+81 90 1234 5678"),
        ("鈴木 花子", "A2", "h.suzuki@a2.co.jp", "03-1234-5678"),  # the company's number
        ("鈴木 花子", "A2", "hanako@a2.co.jp", "03-1234-5678"),
        ("田中 一郎", "A3", "i.tanaka@a3.co.jp", "080-1111-2222"),  # a telephone of three
        ("田中 一郎", "A3", "ichiro@a3.co.jp", "080-1111-2222"),
        ("山口 恵", "A3", "megumi@a3.co.jp", "080-1111-2222"), *OTHERS,
    ])  # fmt: skip
    clusters = _clusters(people)
    assert clusters[0] == clusters[1]
    assert len(set(clusters)) == len(people) - 1


def test_a_record_that_fits_two_namesakes_is_neither_of_them():
    people = _contacts([
        ("佐藤 太郎", "A1", "t.sato@a1.co.jp", None), ("佐藤 太郎", "A1", "taro2@a1.co.jp", None),
        ("サトウ タロウ", "A1", None, None), *OTHERS,
    ])  # fmt: skip
    assert len(set(_clusters(people))) == len(people)


def test_a_second_record_of_one_company_without_an_address_is_the_same_person():
    people = _contacts([
        ("佐藤 栄一", "A1", "e.sato@a1.co.jp", None), ("Eichi Sato", "A1", None, None), *OTHERS,
    ])  # fmt: skip
    clusters = _clusters(people)
    assert clusters[0] == clusters[1]
    assert len(set(clusters)) == len(people) - 1


@pytest.mark.parametrize("records", [0, 2])
def test_records_without_a_name_are_no_pairs(records):
    assert probable_pairs(
        people(*[(None, f"{one}@a.jp", None, "A", "a.jp") for one in range(records)])
    ).empty


def test_one_person_at_many_companies_joins_no_two_of_them():
    # A consultant whose card was taken at forty customers, each time with the customer's address.
    people = _contacts(
        [("高橋 花子", f"B{place}", f"h{place}@b{place}.co.jp", None) for place in range(40)]
    )
    assert len(set(_clusters(people))) == 40


def test_a_thousand_contacts_on_one_free_mail_domain_are_a_thousand_people():
    people = _contacts([
        (f"{family} {given}", None, f"box{place}@gmail.com", None)
        for place, (family, given) in enumerate(product([f"姓{one}" for one in range(40)],
                                                        [f"名{one}" for one in range(25)]))
    ])  # fmt: skip
    people["email_host"] = None
    assert len(set(_clusters(people))) == 1000
