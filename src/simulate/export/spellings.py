"""One person and one company, written in the ways in which a CRM holds them."""

from __future__ import annotations

from dataclasses import dataclass

from ..vocabulary import FOREIGN_FORMS, JAPANESE_FORMS

# Surname and given name each in kanji, kana and romaji.
FAMILY_NAMES = (
    ("佐藤", "サトウ", "Sato"), ("鈴木", "スズキ", "Suzuki"), ("高橋", "タカハシ", "Takahashi"),
    ("田中", "タナカ", "Tanaka"), ("渡辺", "ワタナベ", "Watanabe"),
    ("山本", "ヤマモト", "Yamamoto"),
    ("中村", "ナカムラ", "Nakamura"), ("小林", "コバヤシ", "Kobayashi"), ("加藤", "カトウ", "Kato"),
    ("吉田", "ヨシダ", "Yoshida"), ("山田", "ヤマダ", "Yamada"), ("佐々木", "ササキ", "Sasaki"),
    ("松本", "マツモト", "Matsumoto"), ("井上", "イノウエ", "Inoue"), ("木村", "キムラ", "Kimura"),
    ("清水", "シミズ", "Shimizu"), ("石川", "イシカワ", "Ishikawa"), ("前田", "マエダ", "Maeda"),
    ("岡田", "オカダ", "Okada"), ("長谷川", "ハセガワ", "Hasegawa"), ("藤田", "フジタ", "Fujita"),
    ("後藤", "ゴトウ", "Goto"), ("村上", "ムラカミ", "Murakami"), ("近藤", "コンドウ", "Kondo"),
    ("石井", "イシイ", "Ishii"), ("遠藤", "エンドウ", "Endo"), ("青木", "アオキ", "Aoki"),
    ("坂本", "サカモト", "Sakamoto"), ("福田", "フクダ", "Fukuda"),
    ("西村", "ニシムラ", "Nishimura"),
)  # fmt: skip
GIVEN_NAMES = (
    ("大輔", "ダイスケ", "Daisuke"), ("直子", "ナオコ", "Naoko"), ("健一", "ケンイチ", "Kenichi"),
    ("恵子", "ケイコ", "Keiko"), ("由美", "ユミ", "Yumi"), ("拓也", "タクヤ", "Takuya"),
    ("裕子", "ユウコ", "Yuko"), ("真理", "マリ", "Mari"), ("陽子", "ヨウコ", "Yoko"),
    ("美咲", "ミサキ", "Misaki"), ("和也", "カズヤ", "Kazuya"), ("太郎", "タロウ", "Taro"),
    ("花子", "ハナコ", "Hanako"), ("和子", "カズコ", "Kazuko"), ("正樹", "マサキ", "Masaki"),
    ("健太", "ケンタ", "Kenta"), ("明美", "アケミ", "Akemi"), ("洋介", "ヨウスケ", "Yosuke"),
    ("智子", "トモコ", "Tomoko"),
)  # fmt: skip
FOREIGN_FAMILY_NAMES = (
    "Adams", "Becker", "Carter", "Dubois", "Evans", "Fischer", "Garcia", "Hughes", "Irving",
    "Johnson", "Keller", "Lim", "Martin", "Novak", "Owens", "Patel", "Quinn", "Roth", "Schmidt",
    "Tan", "Underwood", "Vogel", "Walker", "Young", "Zimmermann", "Berger", "Clarke", "Duval",
    "Engel", "Foster",
)  # fmt: skip
FOREIGN_GIVEN_NAMES = (
    "Anna", "Ben", "Clara", "David", "Emma", "Felix", "Grace", "Henry", "Irene", "James", "Karin",
    "Leo", "Maria", "Noah", "Olivia", "Paul", "Rose", "Simon", "Tessa",
)  # fmt: skip
PLACES = (
    ("", ""), ("札幌", "Sapporo"), ("青森", "Aomori"), ("盛岡", "Morioka"), ("仙台", "Sendai"),
    ("秋田", "Akita"), ("山形", "Yamagata"), ("福島", "Fukushima"), ("水戸", "Mito"),
    ("宇都宮", "Utsunomiya"), ("前橋", "Maebashi"), ("浦和", "Urawa"), ("千葉", "Chiba"),
    ("横浜", "Yokohama"), ("新潟", "Niigata"), ("富山", "Toyama"), ("福井", "Fukui"),
    ("甲府", "Kofu"),
    ("長野", "Nagano"), ("岐阜", "Gifu"), ("静岡", "Shizuoka"), ("名古屋", "Nagoya"), ("津", "Tsu"),
    ("大津", "Otsu"), ("京都", "Kyoto"), ("大阪", "Osaka"), ("神戸", "Kobe"), ("奈良", "Nara"),
    ("和歌山", "Wakayama"), ("鳥取", "Tottori"), ("松江", "Matsue"), ("岡山", "Okayama"),
    ("広島", "Hiroshima"), ("徳島", "Tokushima"), ("高松", "Takamatsu"), ("松山", "Matsuyama"),
    ("高知", "Kochi"), ("福岡", "Fukuoka"), ("佐賀", "Saga"), ("長崎", "Nagasaki"),
    ("熊本", "Kumamoto"), ("大分", "Oita"), ("宮崎", "Miyazaki"), ("鹿児島", "Kagoshima"),
    ("那覇", "Naha"),
)  # fmt: skip
# Another writing of one legal form, in the order of JAPANESE_FORMS and of FOREIGN_FORMS.
_JAPANESE_AGAIN = ("㈱{}", "{} 株式会社", "株式会社　{}", "{}（株）", "{} KK")
_FOREIGN_AGAIN = ("{}", "{}, Incorporated", "{} gmbh", "{} Limited", "{} Pte Ltd", "{} S.A.S.")


@dataclass(frozen=True)
class PersonName:
    """A name in its first writing and in another one.

    Attributes:
        family, given: as the first record holds them.
        family_again, given_again: as a second record of the same person does.
        box: what comes before the @ of the address.
    """

    family: str
    given: str
    family_again: str
    given_again: str
    box: str


def person_name(place: int, *, japanese: bool) -> PersonName:
    """The name at a place: 570 in Japanese and 570 others, all different.

    >>> person_name(0, japanese=True).family
    '佐藤'
    """
    # Neighbours differ in both names.
    family = place % 30
    given = (place // 30 + place) % 19
    if japanese:
        last, first = FAMILY_NAMES[family], GIVEN_NAMES[given]
        script = 1 + place % 2
        return PersonName(
            last[0], first[0], last[script], first[script], f"{first[2]}.{last[2]}".lower()
        )
    name, other = FOREIGN_FAMILY_NAMES[family], FOREIGN_GIVEN_NAMES[given]
    return PersonName(name, other, name.upper(), other, f"{other}.{name}".lower())


def company_core(name: str) -> tuple[str, str, str]:
    """A simulated company's name without its legal form, that form, and another writing of it."""
    forms = [
        *zip(JAPANESE_FORMS, _JAPANESE_AGAIN, strict=True),
        *zip(FOREIGN_FORMS[1:], _FOREIGN_AGAIN[1:], strict=True),
    ]
    for form, again in forms:
        before, after = form.split("{}")
        if name.startswith(before) and name.endswith(after):
            return name[len(before) : len(name) - len(after)], form, again
    return name, "{}", "{}"


def company_names(name: str, place: int) -> tuple[str, str]:
    """A company's name with a place before it, in its first writing and in another one.

    >>> company_names("株式会社東都製作所", 1)
    ('株式会社札幌東都製作所', '㈱札幌東都製作所')
    """
    core, form, again = company_core(name)
    town, romanised = PLACES[place % len(PLACES)]
    number = f" {place // len(PLACES) + 1}" if place >= len(PLACES) else ""
    whole = f"{romanised} {core}{number}".strip() if core.isascii() else f"{town}{core}{number}"
    return form.format(whole), again.format(whole)


def corporate_number(digits: int) -> str:
    """Thirteen digits with the check digit of Japan's corporate numbers before the twelve.

    The check digit is 9 - (sum of the digits, those in even places from the right twice, mod 9).
    """
    rest = f"{digits:012d}"
    total = sum(
        int(digit) * (1 if place % 2 == 0 else 2) for place, digit in enumerate(reversed(rest))
    )
    return f"{9 - total % 9}{rest}"
