"""Words to name things with: companies, people, titles, departments, contents, answers.

Japanese entries come with their romanised form, which e-mail addresses and domains need.
"""

from __future__ import annotations

COMPANY_STEMS = (
    ("東都", "Toto"), ("北陽", "Hokuyo"), ("三葉", "Mitsuba"), ("大和", "Yamato"),
    ("富士見", "Fujimi"), ("青葉", "Aoba"), ("瑞穂", "Mizuho"), ("桜井", "Sakurai"),
    ("朝日台", "Asahidai"), ("若松", "Wakamatsu"), ("西海", "Saikai"), ("光洋", "Koyo"),
    ("ミナト", "Minato"), ("ハルカ", "Haruka"), ("千代田", "Chiyoda"), ("白山", "Hakusan"),
    ("金沢", "Kanazawa"), ("日向", "Hyuga"), ("清水", "Shimizu"), ("ヤマビコ", "Yamabiko"),
)  # fmt: skip
FOREIGN_STEMS = (
    "Alder", "Brightwell", "Cobalt", "Dunmore", "Eastgate", "Fairbanks", "Greystone", "Harrow",
    "Ironbridge", "Juniper", "Kestrel", "Lindqvist", "Marlow", "Northfield", "Oakhurst", "Pinnacle",
    "Quarry", "Redwood", "Sterling", "Thornton",
)  # fmt: skip
# By industry, in the order of parameters.INDUSTRIES: Japanese, romanised, English.
INDUSTRY_NAMES = (
    ("製作所", "Seisakusho", "Manufacturing"),
    ("ファイナンス", "Finance", "Capital"),
    ("商店", "Shoten", "Retail"),
    ("物流", "Butsuryu", "Logistics"),
    ("メディカル", "Medical", "Health"),
    ("システムズ", "Systems", "Software"),
    ("建設", "Kensetsu", "Construction"),
    ("電力", "Denryoku", "Energy"),
)
JAPANESE_FORMS = ("株式会社{}", "{}株式会社", "(株){}", "㈱{}", "{} K.K.")
JAPANESE_FORM_SHARE = (0.40, 0.33, 0.10, 0.05, 0.12)
# By country, in the order of people.COUNTRIES.
FOREIGN_FORMS = ("", "{} Inc.", "{} GmbH", "{} Ltd.", "{} Pte. Ltd.", "{} SAS")

FAMILY_NAMES = (
    ("佐藤", "sato"), ("鈴木", "suzuki"), ("高橋", "takahashi"), ("田中", "tanaka"),
    ("伊藤", "ito"), ("渡辺", "watanabe"), ("山本", "yamamoto"), ("中村", "nakamura"),
    ("小林", "kobayashi"), ("加藤", "kato"), ("吉田", "yoshida"), ("山田", "yamada"),
    ("佐々木", "sasaki"), ("松本", "matsumoto"), ("井上", "inoue"), ("木村", "kimura"),
    ("斎藤", "saito"), ("清水", "shimizu"), ("山崎", "yamazaki"), ("森", "mori"),
)  # fmt: skip
GIVEN_NAMES = (
    ("大輔", "daisuke"), ("直子", "naoko"), ("健一", "kenichi"), ("恵子", "keiko"),
    ("翔", "sho"), ("由美", "yumi"), ("拓也", "takuya"), ("裕子", "yuko"),
    ("誠", "makoto"), ("真理", "mari"), ("浩", "hiroshi"), ("陽子", "yoko"),
    ("隆", "takashi"), ("美咲", "misaki"), ("和也", "kazuya"), ("彩", "aya"),
)  # fmt: skip
FOREIGN_FAMILY_NAMES = (
    "Adams", "Becker", "Carter", "Dubois", "Evans", "Fischer", "Garcia", "Hughes", "Irving",
    "Johnson", "Keller", "Lim", "Martin", "Novak", "Owens", "Patel", "Quinn", "Roth", "Schmidt",
    "Tan",
)  # fmt: skip
FOREIGN_GIVEN_NAMES = (
    "Anna", "Ben", "Clara", "David", "Emma", "Felix", "Grace", "Henry", "Irene", "James", "Karin",
    "Leo", "Maria", "Noah", "Olivia", "Paul",
)  # fmt: skip

# By role, in the order of parameters.ROLES: (title, department), Japanese and English.
JAPANESE_TITLES = (
    (("代表取締役", "役員室"), ("事業部長", "事業本部"), ("取締役 本部長", "事業本部"),
     ("執行役員", "役員室")),
    (("DX推進室 室長", "DX推進室"), ("営業企画部 課長", "営業企画部"),
     ("マーケティング部 マネージャー", "マーケティング部"), ("経営企画室 主任", "経営企画室")),
    (("情報システム部 主任", "情報システム部"), ("情シス 係長", "情報システム部"),
     ("システムエンジニア", "技術部"), ("インフラ担当", "情報システム部")),
    (("経理部長", "経理部"), ("財務部 次長", "財務部"), ("管理本部長", "管理本部"),
     ("最高財務責任者 (CFO)", "財務部")),
    (("営業部 担当", "営業部"), ("業務部 主任", "業務部"), ("企画担当", "企画部"),
     ("カスタマーサポート リーダー", "サポート部")),
    (("購買部 課長", "購買部"), ("調達部 主任", "調達部"), ("購買担当", "購買部"),
     ("資材部 係長", "資材部")),
)  # fmt: skip
ENGLISH_TITLES = (
    (("Chief Executive Officer", "Executive"), ("VP Operations", "Operations"),
     ("Managing Director", "Executive"), ("Head of Business Unit", "Operations")),
    (("Digital Transformation Lead", "Digital"), ("Marketing Manager", "Marketing"),
     ("Sales Operations Manager", "Sales"), ("Strategy Manager", "Strategy")),
    (("IT Architect", "IT"), ("Senior Systems Engineer", "IT"), ("Security Engineer", "IT"),
     ("Software Engineer", "Engineering")),
    (("Chief Financial Officer", "Finance"), ("Finance Director", "Finance"),
     ("Head of Controlling", "Finance"), ("VP Finance", "Finance")),
    (("Sales Representative", "Sales"), ("Operations Specialist", "Operations"),
     ("Business Analyst", "Strategy"), ("Support Team Lead", "Support")),
    (("Procurement Manager", "Procurement"), ("Sourcing Specialist", "Procurement"),
     ("Purchasing Lead", "Procurement"), ("Category Buyer", "Procurement")),
)  # fmt: skip

SALES_OWNERS = (
    "石井 亮", "大野 真由", "岡田 仁", "Sophie Wagner", "西村 千尋", "原田 剛", "藤本 玲奈",
    "Marcus Reed",
)  # fmt: skip
SOLUTION_NAMES = ("データ基盤", "営業支援クラウド", "Security Suite", "経費精算クラウド")

# By kind: three contents each, as (buying job, Japanese title); every solution has its own.
CONTENTS = {
    "web_visit": (
        ("problem_identification", "よくある課題"),
        ("solution_exploration", "製品紹介"),
        ("requirements_building", "機能一覧"),
    ),
    "pricing_view": (
        ("supplier_selection", "料金プラン"),
        ("supplier_selection", "他社との比較"),
        ("consensus_creation", "費用対効果の試算"),
    ),
    "case_study_view": (
        ("validation", "製造業の導入事例"),
        ("validation", "金融業の導入事例"),
        ("consensus_creation", "社内稟議を通した事例"),
    ),
    "whitepaper_download": (
        ("problem_identification", "業界動向レポート"),
        ("solution_exploration", "選び方ガイド"),
        ("requirements_building", "RFP ひな形"),
    ),
    "webinar_attended": (
        ("solution_exploration", "はじめてのセミナー"),
        ("requirements_building", "要件整理セミナー"),
        ("validation", "導入企業に聞く"),
    ),
}
GATED_KINDS = ("whitepaper_download", "webinar_attended")

ANSWERS_BY_QUESTION = {
    "problem": ("手作業が多く時間がかかる", "データが分散している", "reporting takes too long"),
    "position": ("決裁者", "情報収集の担当", "evaluating for my manager"),
    "timing": ("半年以内", "来期", "未定", "this quarter"),
    "budget": ("確保済み", "申請中", "未定", "planned for next fiscal year"),
    "competitor": ("他社製品と比較中", "現行システムの継続も検討", "none so far"),
}
REJECTION_REASONS = ("時期尚早", "予算なし", "対象外の企業", "連絡が取れない", "競合に決定")
# What a month costs by channel, in yen.
MONTHLY_COSTS = {
    "web": 1_200_000.0,
    "search_ads": 2_500_000.0,
    "email": 300_000.0,
    "webinar": 800_000.0,
    "event": 3_000_000.0,
    "inside_sales": 4_500_000.0,
}
