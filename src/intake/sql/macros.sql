-- How the exports write texts, flags, numbers and times. The variable `zone` is the one of naive times.
CREATE MACRO plain(x) AS
    CASE WHEN trim(x) = '' OR list_contains(getvariable('null_texts'), trim(x)) THEN NULL ELSE trim(x) END;
CREATE MACRO flag(x) AS
    CASE WHEN lower(x) IN ('true', '1', 't', 'yes', 'y', 'はい', '1.0') THEN true
         WHEN lower(x) IN ('false', '0', 'f', 'no', 'n', 'いいえ', '0.0') THEN false END;
CREATE MACRO number_of(x) AS TRY_CAST(regexp_replace(x, '[,¥￥$€£\s円]', '', 'g') AS DOUBLE);
CREATE MACRO naive_time(x) AS coalesce(
    TRY_CAST(x AS TIMESTAMP),
    try_strptime(x, ['%Y/%m/%d %H:%M:%S', '%Y/%m/%d %H:%M', '%Y/%m/%d', '%Y年%m月%d日 %H:%M:%S', '%Y年%m月%d日 %H:%M',
                     '%Y年%m月%d日', '%Y年%m月%d日%H時%M分', '%Y年%m月%d日 %H時%M分', '%Y年%m月%d日 %H時%M分%S秒', '%m/%d/%Y %I:%M %p', '%m/%d/%Y %I:%M:%S %p', '%m/%d/%Y %H:%M:%S',
                     '%m/%d/%Y %H:%M', '%m/%d/%Y', '%b %d, %Y %I:%M %p', '%b %d, %Y', '%d-%b-%Y']));
CREATE MACRO is_day(x) AS
    regexp_full_match(x, '\d{4}[-/年]\d{1,2}[-/月]\d{1,2}日?([ T]00:00(:00(\.0+)?)?( ?UTC|Z|\+00(:?00)?)?)?|\d{1,2}/\d{1,2}/\d{4}|\d{5}');
CREATE MACRO moment(x) AS CASE
    WHEN x IS NULL THEN NULL
    WHEN regexp_full_match(x, '\d{12,13}(\.0+)?') THEN epoch_ms(CAST(regexp_extract(x, '^\d+') AS BIGINT))
    WHEN regexp_full_match(x, '\d{15,16}') THEN make_timestamp(CAST(x AS BIGINT))
    WHEN regexp_full_match(x, '\d{9,10}(\.\d+)?') THEN make_timestamp(CAST(round(CAST(x AS DOUBLE) * 1e6) AS BIGINT))
    WHEN regexp_full_match(x, '\d{5}(\.\d+)?') THEN
        timezone(getvariable('zone'), TIMESTAMP '1899-12-30' + to_seconds(CAST(round(CAST(x AS DOUBLE) * 86400) AS BIGINT)))
            AT TIME ZONE 'UTC'
    WHEN regexp_matches(x, '\d ?(Z|UTC|GMT|[+-]\d\d(:?\d\d)?)$') AND regexp_matches(x, '\d:\d\d')
        THEN TRY_CAST(replace(x, 'GMT', 'UTC') AS TIMESTAMPTZ) AT TIME ZONE 'UTC'
    ELSE timezone(getvariable('zone'), naive_time(x)) AT TIME ZONE 'UTC' END;
-- A date without a time counts at its end: it may have happened at any time of that day.
CREATE MACRO day_end(x) AS CASE
    WHEN x IS NULL THEN NULL
    WHEN regexp_full_match(x, '\d{4}-\d{2}-\d{2}[ T]00:00(:00(\.0+)?)?( ?UTC|Z|\+00(:?00)?)?')
        THEN CAST(substr(x, 1, 10) AS TIMESTAMP) + INTERVAL '23:59:59'
    WHEN is_day(x) THEN moment(x) + INTERVAL '23:59:59'
    ELSE moment(x) END;
-- Salesforce's id of 18 characters from the one of 15: three letters tell which of each five are capitals.
CREATE MACRO capital_bits(part) AS substr('ABCDEFGHIJKLMNOPQRSTUVWXYZ012345', 1 + CAST(list_sum(list_transform(
    range(1, 6), lambda i: CASE WHEN ascii(substr(part, i, 1)) BETWEEN 65 AND 90 THEN 1 << (i - 1) ELSE 0 END)) AS INTEGER), 1);
CREATE MACRO long_id(x) AS CASE WHEN length(x) = 15
    THEN concat(x, capital_bits(substr(x, 1, 5)), capital_bits(substr(x, 6, 5)), capital_bits(substr(x, 11, 5))) ELSE x END;
CREATE MACRO host_of(x) AS nullif(regexp_replace(regexp_extract(lower(trim(x)),
    '^(?:[a-z]+://)?(?:[^/@]*@)?([a-z0-9][a-z0-9.-]*\.[a-z0-9-]+)', 1), '^www\d*\.', ''), '');
CREATE MACRO email_of(x) AS nullif(regexp_extract(lower(x), '[a-z0-9._%+''\-/=?^&!#$*~|{}]+@[a-z0-9][a-z0-9.-]*\.[a-z0-9-]+'), '');
CREATE MACRO email_host(x) AS nullif(split_part(x, '@', 2), '');
CREATE MACRO ids_of(x) AS list_filter(list_transform(regexp_split_to_array(regexp_replace(coalesce(x, ''), '[\[\]"'' ]', '', 'g'), '[;,]'),
    lambda one: trim(one)), lambda one: one <> '');
-- The family's name comes first where names are Japanese or Chinese.
CREATE MACRO name_of(family, given) AS nullif(CASE WHEN regexp_matches(concat(family, given), '[一-龠ぁ-んァ-ヶ]')
    THEN concat_ws(' ', family, given) ELSE concat_ws(' ', given, family) END, '');
-- Ids of the records that gave way to the one of `id`; HubSpot may write the time of the merge behind each.
CREATE MACRO merged_into(id, merged) AS list_filter(list_transform(ids_of(merged), lambda one: split_part(one, ':', 1)), lambda one: one <> id);
-- What a stage is where nothing but its name says it.
CREATE MACRO stage_state(x) AS CASE
    WHEN regexp_full_match(lower(x), '(closed[ _]?won|won|受注|成約|成立|受注済み?|成約済み?|完了（成立）|クローズ[ （(]*(受注|成立|成約)[）)]?|closedwon|契約締結)') THEN 'won'
    WHEN regexp_full_match(lower(x), '(closed[ _]?lost|lost|失注|不成立|失注済み?|クローズ[ （(]*(失注|不成立)[）)]?|closedlost|見送り|敗戦)') THEN 'lost' END;
