# ruff: noqa: E501 - rows of exports are read more easily on one line
"""Exports of one small world in several shapes: two companies, three people, three deals."""

import csv
from pathlib import Path

SHARED = next(
    (
        folder / "shared" / "data" / "intake"
        for folder in Path(__file__).parents[3:5]
        if (folder / "shared").is_dir()
    ),
    Path("absent"),
)
"""Data that is no part of the repository; tests that read it skip where it is absent."""


def write_export(folder: Path, tables: dict[str, str], suffix: str = ".csv") -> Path:
    """Tables written as lines of cells with | between them, as CSV files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in tables.items():
        with (folder / f"{name}{suffix}").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            for line in text.strip().splitlines():
                writer.writerow([cell.strip() for cell in line.split("|")])
    return folder


SALESFORCE = {
    "Account": """
Id|IsDeleted|MasterRecordId|Name|Website|NumberOfEmployees|BillingCountry|CreatedDate|SystemModstamp
001A1|false||株式会社アクシス|http://www.axis.co.jp|120|Japan|2024-01-01T00:00:00.000Z|2024-06-01T00:00:00.000Z
001A2|false||㈱アクシス|||Japan|2024-01-02T00:00:00.000Z|2024-06-01T00:00:00.000Z
001A3|false||Beta Inc|https://beta.com/||US|2024-01-03T00:00:00.000Z|2024-06-01T00:00:00.000Z
""",
    "Contact": """
Id|IsDeleted|MasterRecordId|AccountId|LastName|FirstName|Name|Email|Title|Department|CreatedDate|SystemModstamp
003A1|false||001A1|田中|太郎|田中 太郎|taro@axis.co.jp|情報システム部長||2024-01-05T00:00:00.000Z|2024-06-01T00:00:00.000Z
003A2|true|003A1|001A1|田中|太郎|田中 太郎||||2024-01-06T00:00:00.000Z|2024-06-01T00:00:00.000Z
003A3|false||001A2|鈴木|花子|鈴木 花子|hanako@axis.co.jp|経理部長|経理部|2024-01-06T00:00:00.000Z|2024-06-01T00:00:00.000Z
003A4|false||001A3|Smith|John|John Smith|john@beta.com|VP Sales||2024-01-06T00:00:00.000Z|2024-06-01T00:00:00.000Z
""",
    "Opportunity": """
Id|IsDeleted|AccountId|Name|StageName|Amount|CloseDate|CreatedDate|IsClosed|IsWon|OwnerId
006A1|false|001A1|Axis one|Closed Won|1000|2024-03-01|2024-02-01T00:00:00.000Z|true|true|005A1
006A2|false|001A1|Axis two|Prospecting|2000|2024-09-01|2024-05-01T00:00:00.000Z|false|false|005A1
006A3|false|001A3|Beta|Closed Lost|500|2024-04-01|2024-02-11T00:00:00.000Z|true|false|005A1
006A4|true|001A3|Mistake|Prospecting|500|2024-04-01|2024-02-11T00:00:00.000Z|false|false|005A1
""",
    "OpportunityContactRole": """
Id|OpportunityId|ContactId|Role|IsPrimary|CreatedDate|IsDeleted
00KA1|006A1|003A1|Decision Maker|true|2024-02-02T01:02:03.000Z|false
00KA2|006A1|003A3||false|2024-02-03T01:02:03.000Z|false
00KA3|006A3|003A4|Economic Buyer|false|2024-02-13T01:02:03.000Z|false
00KA4|006A2|003A9||false|2024-02-13T01:02:03.000Z|false
""",
    "OpportunityHistory": """
Id|OpportunityId|StageName|Amount|CreatedDate|IsDeleted
0081|006A1|Prospecting|1000|2024-02-01T00:00:00.000Z|false
0082|006A1|Prospecting|1200|2024-02-05T00:00:00.000Z|false
0083|006A1|Closed Won|1200|2024-03-01T05:06:07.000Z|false
0084|006A2|Prospecting|2000|2024-05-01T00:00:00.000Z|false
""",
    "Task": """
Id|WhoId|WhatId|Subject|ActivityDate|Status|IsClosed|CompletedDateTime|CreatedDate|Type|TaskSubtype|IsDeleted
00TA1|003A1|006A1|Call|2024-02-10|Completed|true|2024-02-10T03:00:00.000Z|2024-02-09T00:00:00.000Z||Call|false
00TA2|003A2||mail|2024-02-10|Completed|true||2024-02-09T00:00:00.000Z||Email|false
00TA3|003A1||to do|2024-12-10|Not Started|false||2024-02-09T00:00:00.000Z||Task|false
00TA4||001A1|x|2024-02-10|Completed|true||2024-02-09T00:00:00.000Z||Task|false
""",
    "Event": """
Id|WhoId|WhatId|Subject|StartDateTime|DurationInMinutes|CreatedDate|IsDeleted|IsChild
00UA1|003A1|006A1|Meeting|2024-02-15T01:00:00.000Z|60|2024-02-12T00:00:00.000Z|false|false
00UA2|003A1|006A1|Planned|2024-12-15T01:00:00.000Z|60|2024-02-12T00:00:00.000Z|false|false
""",
    "EventRelation": """
Id|EventId|RelationId|IsWhat|IsDeleted
0RE1|00UA1|003A3|false|false
0RE2|00UA1|003A1|false|false
""",
    "Lead": """
Id|IsDeleted|LastName|FirstName|Name|Company|Email|Title|IsConverted|ConvertedDate|ConvertedAccountId|ConvertedContactId|ConvertedOpportunityId|CreatedDate
00QA1|false|Smith|John|John Smith|Beta, Inc.|john@beta.com|VP|true|2024-02-10|001A3|003A4|006A3|2023-12-01T00:00:00.000Z
00QA2|false|佐藤|次郎|佐藤 次郎|アクシス株式会社|jiro@axis.co.jp|担当|false|||||2023-12-02T00:00:00.000Z
""",
}

HUBSPOT_JA = {
    "すべてのコンタクト": """
レコードID|名|姓|Eメール|電話番号|役職|会社名|作成日|関連付けられた会社ID
101|太郎|田中|taro@axis.co.jp|03-1111-2222|情報システム部長|株式会社アクシス|2024-01-05 09:30|501
102|花子|鈴木|hanako@axis.co.jp||経理部 課長|株式会社アクシス|2024-03-06 10:00|501
103|次郎|佐藤|jiro@gmail.com||担当||2024-01-06 10:00|
""",
    "すべての会社": """
レコードID|会社名|会社のドメイン名|業種|従業員数|作成日
501|株式会社アクシス|axis.co.jp|製造|1,200|2024-01-01 00:10
""",
    "すべての取引": """
レコードID|取引名|取引ステージ|クローズ日|パイプライン|金額|作成日|Associated Contact IDs|Associated Company IDs
901|アクシス案件|成約|2024-03-31 12:00|既定|1,000,000|2024-02-01 09:00|101;102|501
902|謎|ヒアリング|2024-12-01 12:00|既定|10|2024-02-01 09:00|103|
""",
}

HUBSPOT_FIVETRAN = {
    "company": """
id|is_deleted|_fivetran_synced|property_name|property_domain|property_createdate
501|false|2024-06-01 00:00:00|Axis|axis.co.jp|2024-01-01 00:00:00
""",
    "contact": """
id|_fivetran_deleted|_fivetran_synced|property_email|property_firstname|property_lastname|property_jobtitle|property_createdate|property_hs_merged_object_ids|property_associatedcompanyid
101|false|2024-06-01 00:00:00|taro@axis.co.jp|太郎|田中|情報システム部長|2024-01-05 00:00:00|109|501
102|false|2024-06-01 00:00:00|hanako@axis.co.jp|花子|鈴木|経理部長|2024-01-05 00:00:00||501
""",
    "deal": """
deal_id|is_deleted|_fivetran_synced|deal_pipeline_id|deal_pipeline_stage_id|property_dealname|property_closedate|property_createdate|portal_id
901|false|2024-06-01 00:00:00|default|s3|D|2024-03-09 00:00:00|2024-02-01 00:00:00|77
""",
    "deal_company": """
deal_id|company_id|type_id|category|_fivetran_synced
901|501|5|HUBSPOT_DEFINED|2024-06-01 00:00:00
""",
    "deal_contact": """
deal_id|contact_id|type_id|category|_fivetran_synced
901|101|3|HUBSPOT_DEFINED|2024-06-01 00:00:00
901|101|36|USER_DEFINED|2024-06-01 00:00:00
901|102|3|HUBSPOT_DEFINED|2024-06-01 00:00:00
""",
    "deal_pipeline": """
pipeline_id|label|_fivetran_synced
default|Sales|2024-06-01 00:00:00
""",
    "deal_pipeline_stage": """
stage_id|pipeline_id|label|closed_won|is_closed|probability|_fivetran_synced
s1|default|Qualified|false|false|0.2|2024-06-01 00:00:00
s3|default|Signed|true|true|1.0|2024-06-01 00:00:00
""",
    "deal_stage": """
deal_id|value|date_entered|_fivetran_start|_fivetran_synced
901|s1|2024-02-01 00:00:00|2024-02-01 00:00:00|2024-06-01 00:00:00
901|s3|2024-03-01 00:00:00|2024-03-01 00:00:00|2024-06-01 00:00:00
""",
    "deal_property_history": """
deal_id|name|value|timestamp|_fivetran_synced
901|dealstage|s1|2024-02-01 00:00:00.5|2024-06-01 00:00:00
901|dealstage|s3|2024-03-01 00:00:00.5|2024-06-01 00:00:00
901|num_associated_contacts|1|2024-02-02 00:00:00|2024-06-01 00:00:00
901|num_associated_contacts|2|2024-02-20 00:00:00|2024-06-01 00:00:00
901|amount|5|2024-02-20 00:00:00|2024-06-01 00:00:00
""",
    "engagement": """
id|type|timestamp|_fivetran_synced
1|CALL||2024-06-01 00:00:00
2|MEETING||2024-06-01 00:00:00
""",
    "engagement_call": """
engagement_id|property_hs_timestamp|property_hs_createdate|property_hs_call_direction|property_hs_call_duration|type|_fivetran_synced
1|2024-02-12 01:02:03|2024-02-12 01:05:00|OUTBOUND|60000|CALL|2024-06-01 00:00:00
""",
    "engagement_meeting": """
engagement_id|start_time|end_time|meeting_outcome|_fivetran_synced
2|2024-02-14 01:00:00|2024-02-14 02:00:00|COMPLETED|2024-06-01 00:00:00
""",
    "engagement_contact": """
engagement_id|contact_id|_fivetran_synced
1|109|2024-06-01 00:00:00
2|101|2024-06-01 00:00:00
2|102|2024-06-01 00:00:00
""",
    "engagement_deal": """
engagement_id|deal_id|_fivetran_synced
2|901|2024-06-01 00:00:00
""",
    "email_event": """
id|created|type|recipient|email_campaign_id|filtered_event|_fivetran_synced
e1|2024-02-15 00:00:01|OPEN|TARO@axis.co.jp|7|false|2024-06-01 00:00:00
e2|2024-02-15 00:00:02|DELIVERED|taro@axis.co.jp|7|false|2024-06-01 00:00:00
e3|2024-02-15 00:00:03|OPEN|taro@axis.co.jp|7|true|2024-06-01 00:00:00
""",
}

HUBSPOT_AIRBYTE = {
    "contacts": """
id|properties|createdAt|updatedAt|archived|companies|_airbyte_raw_id
101|{"firstname":"太郎","lastname":"田中","email":"taro@axis.co.jp"}|2024-01-05T00:00:00Z|2024-06-01T00:00:00Z|false|["501"]|x
102|{"firstname":"花子","lastname":"鈴木","email":"hanako@axis.co.jp"}|2024-01-05T00:00:00Z|2024-06-01T00:00:00Z|false|["501"]|y
""",
    "companies": """
id|properties_name|properties_domain|createdAt|updatedAt|archived|_airbyte_raw_id
501|株式会社アクシス|axis.co.jp|2024-01-05T00:00:00Z|2024-06-01T00:00:00Z|false|x
""",
    "deals": """
id|properties_dealname|properties_dealstage|properties_closedate|properties_createdate|contacts|companies|archived|_airbyte_raw_id
901|D|closedwon|2024-03-01T00:00:00Z|2024-02-01T00:00:00.123Z|["101","102"]|["501"]|false|z
""",
    "deals_property_history": """
dealId|property|value|timestamp|_airbyte_raw_id
901|dealstage|appointmentscheduled|1706745600123|a
901|dealstage|closedwon|1709294400000|b
""",
    "engagements_calls": """
id|properties_hs_timestamp|properties_hs_call_duration|properties_hs_call_direction|archived|contacts|deals|_airbyte_raw_id
7001|2024-02-03T00:00:00Z|60000|OUTBOUND|false|["101"]|["901"]|x
""",
}

MARKETO = {
    "leads": """
id|firstName|lastName|email|company|title|createdAt|updatedAt
11|太郎|田中|taro@axis.co.jp|株式会社アクシス|情報システム部長|2024-01-05T00:00:00Z|2024-06-01T00:00:00Z
12|花子|鈴木|null|アクシス(株)|経理部長|2024-01-05T00:00:00Z|2024-06-01T00:00:00Z
""",
    "activities_1": """
marketoGUID|leadId|activityDate|activityTypeId|campaignId|primaryAttributeValueId|primaryAttributeValue|attributes
m1|11|2024-02-01T00:00:01Z|34|null|O1|Deal one|{"Role":"Decision Maker","Is Primary":true,"Stage":"Prospecting"}
m2|12|2024-02-02T00:00:01Z|34|null|O1|Deal one|[{"name":"Role","value":"Influencer"}]
m3|11|2024-03-01T00:00:01Z|36|null|O1|Deal one|{"Attribute Name":"Stage","New Value":"Closed Won","Old Value":"Prospecting"}
m4|12|2024-02-20T00:00:01Z|35|null|O1|Deal one|{}
""",
    "activities_2": """
marketoGUID|leadId|activityDate|activityTypeId|campaignId|primaryAttributeValueId|primaryAttributeValue|attributes
m5|11|2024-02-05T00:00:01Z|1|null|9|/pricing|{}
m6|10|2024-01-20T00:00:01Z|11|null|5|Mail five|{}
m7|11|2024-02-06T00:00:01Z|32|null|11|x|{"Merge IDs":"[10]"}
m8|11|2024-02-07T00:00:01Z|7|null|5|Mail five|{}
m9|11|2024-02-08T00:00:01Z|13|null|1|Score|{"New Value":"3"}
""",
}
