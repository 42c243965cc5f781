"""A company's name without its legal form, width, case and punctuation; its corporate number."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

# Japan's forms by the National Tax Agency's kinds, their short forms, and those met abroad.
_JAPANESE_FORMS = {
    "株式会社": ("株式会社", "(株)", "㈱", "カブシキガイシャ", "かぶしきがいしゃ"),
    "有限会社": ("有限会社", "(有)", "㈲"),
    "合同会社": ("合同会社", "(同)"),
    "合名会社": ("合名会社", "(名)", "㈴"),
    "合資会社": ("合資会社", "(資)", "㈾"),
    "相互会社": ("相互会社", "(相)"),
    "医療法人": ("医療法人社団", "医療法人財団", "社会医療法人", "医療法人", "(医)"),
    "財団法人": ("一般財団法人", "公益財団法人", "財団法人", "(一財)", "(公財)", "(財)", "㈶"),
    "社団法人": ("一般社団法人", "公益社団法人", "社団法人", "(一社)", "(公社)", "(社)", "㈳"),
    "学校法人": ("学校法人", "(学)", "㈻"),
    "宗教法人": ("宗教法人", "(宗)"),
    "社会福祉法人": ("社会福祉法人", "(福)"),
    "更生保護法人": ("更生保護法人",),
    "特定非営利活動法人": ("特定非営利活動法人", "npo法人", "(特非)"),
    "独立行政法人": ("地方独立行政法人", "独立行政法人", "(独)", "国立研究開発法人"),
    "国立大学法人": ("国立大学法人", "公立大学法人", "(大)"),
    "弁護士法人": ("弁護士法人", "(弁)"),
    "税理士法人": ("税理士法人", "(税)"),
    "監査法人": ("有限責任監査法人", "監査法人"),
    "司法書士法人": ("司法書士法人",),
    "行政書士法人": ("行政書士法人", "(行)"),
    "社会保険労務士法人": ("社会保険労務士法人",),
    "農事組合法人": ("農事組合法人",),
    "管理組合法人": ("管理組合法人",),
    "有限責任事業組合": ("有限責任事業組合",),
    "投資法人": ("投資法人",),
    "特殊会社": ("特定目的会社",),
    "協業組合": ("協業組合",),
    "企業組合": ("企業組合",),
}  # fmt: skip
_FOREIGN_FORMS = (
    "kabushiki kaisha", "kabushiki gaisha", "godo kaisha", "yugen kaisha", "company limited",
    "limited liability company", "public limited company", "limited company", "pty limited",
    "private limited", "proprietary limited", "incorporated", "corporation", "corp", "company",
    "inc", "co ltd", "co", "ltd", "limited", "llc", "llp", "lp", "plc", "gmbh co kg", "gmbh",
    "ag", "kg", "ohg", "se", "ug", "sa", "sas", "sarl", "srl", "spa", "bv", "nv", "oy", "oyj",
    "ab", "as", "asa", "aps", "kk", "gk", "yk", "pte ltd", "pte", "pty ltd", "pty", "pvt ltd",
    "pvt", "sdn bhd", "bhd", "jsc",
)  # fmt: skip
_DOTTED = re.compile(r"(?<=\b\w)\.(?=\w\b|\s|$)")
_BORDERS = re.compile(r"[\s.,、。・･'’`\"“”&＆!?/\\|:;_~〜～()\[\]{}<>「」『』【】\-‐‑‒–—―−]+")
_FOREIGN = re.compile(
    r"(?:^|(?<=\s))(?:"
    + "|".join(sorted(map(re.escape, _FOREIGN_FORMS), key=len, reverse=True))
    + r")\s*$"
)
_JAPANESE = sorted(
    (
        (unicodedata.normalize("NFKC", written).lower(), form)
        for form, all_written in _JAPANESE_FORMS.items()
        for written in all_written
    ),
    key=lambda pair: -len(pair[0]),
)


@lru_cache(maxsize=1 << 20)
def split_company_name(name: str) -> tuple[str, str]:
    """The name's core and its legal form in Japan ("" where it has none, or a foreign one).

    >>> split_company_name("㈱アクシス・テック")
    ('アクシステック', '株式会社')
    >>> split_company_name("アクシス　テック 株式会社")
    ('アクシステック', '株式会社')
    >>> split_company_name("Axis Tech Co., Ltd.")
    ('axistech', '')
    """
    text = unicodedata.normalize("NFKC", name).lower().strip()
    form = ""
    for written, canonical in _JAPANESE:
        shorter = _without(text, written)
        if shorter is not None:
            text, form = shorter, canonical
            break
    words = _BORDERS.sub(" ", _DOTTED.sub("", text)).strip()
    if not form:
        words = _without_foreign(words)
    core = words.replace(" ", "")
    return (core or _BORDERS.sub("", unicodedata.normalize("NFKC", name).lower()), form)


def _without(text: str, written: str) -> str | None:
    for rest in (text.removeprefix(written), text.removesuffix(written)):
        if rest != text and rest.strip():
            return rest.strip()
    # Inside of a name only between blanks: アクシス 株式会社 大阪支店.
    middle = re.search(rf"\s{re.escape(written)}\s", text)
    return (text[: middle.start()] + " " + text[middle.end() :]) if middle else None


def _without_foreign(words: str) -> str:
    for _ in range(2):
        shorter = _FOREIGN.sub("", words).strip()
        if not shorter or shorter == words:
            break
        words = shorter
    return words


def corporate_number(text: str | None) -> str | None:
    """The thirteen digits of a corporate number whose check digit holds; else None.

    The first digit is 9 - (sum of the others, those in even places twice, mod 9), counted from the
    right (Ordinance of the Ministry of Finance on corporate numbers, 2014).

    >>> corporate_number("T6020001008662")
    '6020001008662'
    >>> corporate_number("7020001008662") is None
    True
    """
    digits = re.sub(r"\D", "", unicodedata.normalize("NFKC", text or ""))
    if len(digits) != 13:
        return None
    total = sum(
        int(digit) * (1 if place % 2 == 0 else 2)
        for place, digit in enumerate(reversed(digits[1:]))
    )
    return digits if int(digits[0]) == 9 - total % 9 else None
