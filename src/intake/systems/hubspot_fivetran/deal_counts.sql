SELECT 'deal_property_history' AS source_table, concat_ws(':', dealid, name, "timestamp", value) AS source_id,
    dealid AS deal_id, moment("timestamp") AS counted_at, CAST(number_of(value) AS INTEGER) AS people, NULL AS fate
FROM src."deal_property_history" WHERE lower(name) = 'num_associated_contacts'
