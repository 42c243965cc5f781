"""What a title says: the department and the position apart, in Japanese and English.

A role follows from both: the position's rank says who decides, the department what about. Words of
the alphabet are matched on their borders (a "Chair" is no "chAIr"), Japanese ones anywhere, the
position at the end before what comes earlier ("情報システム部長" is a head of IT, "営業一課 係長" a
clerk of sales).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

ROLES = ("decision_maker", "champion", "technical_evaluator", "budget_holder", "user", "procurement")
"""Roles that a title can say."""

# The first department whose words are found counts: the narrow before the wide.
_DEPARTMENTS: tuple[tuple[str, str, str], ...] = (
    ("procurement", "購買|調達|資材|仕入|バイヤー|サプライヤ|ソーシング|外注管理|契約管理",
     r"procurement|purchas\w*|sourcing|buyer|suppl(?:y|ier)s?(?! chain)|vendor manage\w*|category manager|contracts?|commercial manager|commodity"),
    ("legal", "法務|コンプライアンス|知的財産|知財|監査|弁護士", r"legal|counsel|compliance|attorney|lawyer|audit\w*|privacy|data protection"),
    ("finance", "経理|財務|会計|予算|主計|資金|CFO|税務|経営管理|管理本部|ファイナンス|トレジャリ|原価",
     r"cfo|finance|financial|controll(?:er|ing)|account(?:ing|ant|s payable)|treasur\w*|budget\w*|fp&?a|bursar|comptroller|cost"),
    ("it", "情報システム|情シス|システム|インフラ|セキュリティ|ネットワーク|エンジニア|ＩＴ|開発|技術|研究|データ基盤|社内SE|SRE|アーキテクト|サーバ|プログラマ|ソフトウェア|クラウド|データサイエン|データ分析|データエンジ|電算|情報管理|情報企画|設計|プラットフォーム|ITサービス|品質保証",
     r"it|ict|mis|information (?:technology|systems?|security)|systems?|infrastructure|security|cyber\w*|network\w*|engineer\w*|developer|devops|sre|architect\w*|software|technical|technology|technologist|cloud|data (?:scien\w*|engineer\w*|platform|architect\w*|analyt\w*)|database|dba|sysadmin|platform|qa|r&d|research\w*|ciso|cto|cio|programmer|helpdesk|tech|integration\w*|machine learning|analytics engineer\w*|solutions? architect\w*"),
    ("digital", "DX|デジタル|変革|イノベーション|業務改革|業務改善|推進|AI推進|プロジェクト|PMO|経営企画|事業企画|新規事業|改革|営業企画|戦略|事業開発",
     r"digital|transformation|innovation|strateg\w+|change|project|program(?:me)?|pmo|continuous improvement|business development|revops|revenue operations|sales operations|marketing operations|enablement|growth|product(?! support)|process improvement|operational excellence|automation|lean"),
    ("business", "営業|販売|マーケ|広報|宣伝|人事|総務|労務|業務|生産|製造|物流|企画|品質|サポート|サービス|店舗|支店|工場|事業|カスタマー|商品|教育|採用|海外|国際|コールセンター|運用|保守|施設|開拓|CS|秘書|EC|ロジ",
     r"sales|marketing|market|operations?|hr|human resources|people|customer|support|service|logistics|supply chain|product support|business|account|brand|communications?|pr|manufacturing|production|store|branch|facilit\w+|administrat\w+|recruit\w*|talent|training|quality|warehouse|retail|content|social media|field|demand|crm|e-?commerce|plant|partner\w*|success|office|payroll|clinic\w*|regional"),
)  # fmt: skip
_POSITIONS_EN: tuple[tuple[str, str], ...] = (
    ("assistant", r"(?:executive|personal|administrative|team) assistant|assistant to|secretary|receptionist|intern|trainee|apprentice|student|assistant(?! (?:vice|director|manager|professor))"),
    ("deputy_head", r"(?:associate|assistant|deputy) (?:director|general manager|vice president)|avp"),
    ("chief", r"c[etfiomdrhps]o|ciso|cdao|chief|president(?<!vice president)|chair(?:man|woman|person)?|founder|co-?founder|owner|managing director|general manager|gm|board member|managing partner|partner(?! (?:manager|success|account|market|sales|develop))|proprietor|principal(?! (?:engineer|architect|consultant|developer|scientist|software))|evp|svp|executive director|country manager|superintendent"),
    ("head", r"vice president|vp|head|director|dean"),
    ("staff", r"account (?:manager|executive)|team lead(?:er)?|shift (?:lead|manager|supervisor)|office manager|community manager|social media manager"),
    ("expert", r"(?:lead|principal|staff|senior|sr\.?|junior|jr\.?) .*(?:engineer|developer|architect|scientist)"),
    ("manager", r"manager|mgr|lead|leader|supervisor|superintendent|foreman|controller|scrum master|product owner|chief of staff"),
    ("staff", r"specialist|representative|rep|associate|coordinator|analyst|officer|executive|administrator|clerk|technician|consultant|advisor|adviser|engineer|developer|architect|designer|operator|planner|buyer|accountant|agent|staff|member|generalist|assistant|nurse|teacher|driver|worker|writer|editor|scientist|researcher|programmer|strategist|recruiter|partner|evangelist|trainer|scheduler|bookkeeper|auditor|counsel|paralegal"),
)  # fmt: skip
# The last position in a title is its own: 執行役員 営業部長 is both, so the highest counts first.
_POSITIONS_JA: tuple[tuple[str, str], ...] = (
    ("assistant", "秘書|アシスタント|補佐|派遣|パート|アルバイト|インターン|嘱託|事務員|一般事務"),
    ("chief", "代表|社長|会長|CEO|COO|最高経営|最高執行|取締役|執行役|専務|常務|オーナー|創業者|理事長|院長|学長|頭取|役員|最高.*責任者|監査役|理事|町長|市長|相談役|顧問"),
    ("head", "本部長|事業部長|統括部長|部門長|部門責任者|支社長|支店長|工場長|所長|局長|センター長|統括|部長|事業責任者|ディレクター|ヘッド|拠点長|次長|部長代理|副部長|GM|ゼネラルマネ|ジェネラルマネ|店長|園長|館長|校長|事務長"),
    ("manager", "課長|室長|マネージャ|マネジャ|グループ長|グループリーダ|チーム長|リーダー長|参事|主幹|主査|課長代理|課長補佐|責任者|管理者|プロジェクトリーダ|グループマネ|オーナ|長代理|ユニット長|プロジェクトマネ|PM"),
    ("staff", "係長|主任|担当|スタッフ|一般|社員|部員|職員|メンバー|技師|技術者|エンジニア|プログラマ|専門職|アナリスト|スペシャリスト|リーダー|主事|班長|職長|オペレータ|デザイナ|コンサル|研究員|営業職|サブリーダ|チーフ|書記|事務|SE|アーキテクト|バイヤー|研究者|プランナ|サイエンティスト|課員|係"),
)  # fmt: skip
_LATIN = re.compile(r"[a-z]")
_MARKUP = re.compile(r"<[^>]{0,200}>|&[a-z]{2,8};|&#\d+;|https?://\S+")
_NO_WORD = re.compile(r"[^\w&+/.\- ・（）()一-龠ぁ-んァ-ヶー々]+")

_DECIDES = {
    ("procurement", "any"): ("procurement", 0.95),
    ("procurement", "chief"): ("procurement", 0.6),
    ("legal", "any"): ("procurement", 0.4),
    ("finance", "chief"): ("budget_holder", 0.93),
    ("finance", "head"): ("budget_holder", 0.95),
    ("finance", "deputy_head"): ("budget_holder", 0.93),
    ("finance", "manager"): ("budget_holder", 0.85),
    ("finance", "expert"): ("budget_holder", 0.6),
    ("finance", "staff"): ("user", 0.6),
    ("finance", "none"): ("budget_holder", 0.6),
    ("it", "chief"): ("decision_maker", 0.72),
    ("it", "head"): ("technical_evaluator", 0.55),
    ("it", "any"): ("technical_evaluator", 0.94),
    ("it", "manager"): ("technical_evaluator", 0.86),
    ("digital", "chief"): ("decision_maker", 0.92),
    ("digital", "head"): ("decision_maker", 0.62),
    ("digital", "deputy_head"): ("champion", 0.6),
    ("digital", "manager"): ("champion", 0.93),
    ("digital", "staff"): ("champion", 0.6),
    ("digital", "none"): ("champion", 0.8),
    ("business", "chief"): ("decision_maker", 0.96),
    ("business", "head"): ("decision_maker", 0.88),
    ("business", "deputy_head"): ("champion", 0.5),
    ("business", "manager"): ("champion", 0.85),
    ("business", "any"): ("user", 0.9),
    ("none", "chief"): ("decision_maker", 0.97),
    ("none", "head"): ("decision_maker", 0.88),
    ("none", "deputy_head"): ("decision_maker", 0.55),
    ("none", "manager"): ("champion", 0.72),
    ("none", "staff"): ("user", 0.75),
    ("none", "expert"): ("technical_evaluator", 0.8),
    ("none", "any"): ("user", 0.35),
}
# Chiefs of something are chiefs of it; a president or managing director is one of all.
_CHIEF_OF = {
    "finance": r"\bcfo\b|chief financial|chief accounting|最高財務|CFO|財務担当|経理担当|管理担当",
    "it": r"\bc(?:t|i)o\b|\bciso\b|chief (?:technology|information|data|security|technical)|最高技術|最高情報|CTO|CIO|CISO",
    "procurement": r"\bcpo\b|chief procurement|最高調達",
}  # fmt: skip


@dataclass(frozen=True)
class TitleParts:
    """A title taken apart: department and position, `none` where no word says one."""

    department: str
    position: str


def clean_title(title: str) -> str:
    """Lower case, one width, without markup and pictures."""
    text = _MARKUP.sub(" ", unicodedata.normalize("NFKC", title)).lower()
    return re.sub(r"\s+", " ", _NO_WORD.sub(" ", text)).strip()


def _english(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![a-z])(?:{pattern})(?![a-z])")


_DEPARTMENT_PATTERNS = tuple(
    (name, re.compile(unicodedata.normalize("NFKC", japanese).lower()), _english(english))
    for name, japanese, english in _DEPARTMENTS
)
_ENGLISH_POSITIONS = tuple((name, _english(pattern)) for name, pattern in _POSITIONS_EN)
_JAPANESE_POSITIONS = tuple((name, re.compile(pattern.lower())) for name, pattern in _POSITIONS_JA)
_JAPANESE = re.compile(r"[一-龠ぁ-んァ-ヶ]")
_CHIEFS = {name: re.compile(pattern.lower()) for name, pattern in _CHIEF_OF.items()}


def title_parts(title: str, department: str = "") -> TitleParts:
    """Take a title apart; the department's own field helps where the title names none.

    >>> title_parts("情報システム部長")
    TitleParts(department='it', position='head')
    >>> title_parts("営業一課 係長")
    TitleParts(department='business', position='staff')
    >>> title_parts("VP of Finance")
    TitleParts(department='finance', position='head')
    """
    text = clean_title(title)
    position = _position(text)
    found = _department(text, position)
    if found == "none" and department:
        found = _department(clean_title(department), "none")
    return TitleParts(found, position)


def _position(text: str) -> str:
    if _JAPANESE.search(text):
        found = [name for name, pattern in _JAPANESE_POSITIONS if pattern.search(text)]
        if "assistant" in found and len(found) == 1:
            return "assistant"
        found = [one for one in found if one != "assistant"] or found
        if found:
            return found[0]
    return next((name for name, pattern in _ENGLISH_POSITIONS if pattern.search(text)), "none")


def _department(text: str, position: str) -> str:
    if position == "chief":
        for name, pattern in _CHIEFS.items():
            if pattern.search(text):
                return name
        if _JAPANESE.search(text) and not re.search(r"部|室|課|本部|担当", text):
            return "none"
        if re.search(r"\b(?:president|founder|ceo|coo|owner|managing director|general manager|chair\w*|cmo|cro|chro|cdo|cso|cco)\b", text):
            return "business" if re.search(r"\bc[dms]o\b", text) else "none"
    for name, japanese, english in _DEPARTMENT_PATTERNS:
        if japanese.search(text) or english.search(text):
            return name
    return "none"


def lexicon_role(title: str, department: str = "") -> tuple[str, float]:
    """The role that a title most likely says, and how likely.

    Returns:
        one of ROLES and its probability, in (0, 1).
    """
    parts = title_parts(title, department)
    position = "staff" if parts.position == "assistant" else parts.position
    found = _DECIDES.get((parts.department, position)) or _DECIDES.get((parts.department, "any"))
    return found or _DECIDES["none", "any"]
