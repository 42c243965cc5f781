SELECT 'deals_property_history' AS source_table, concat_ws(':', dealid, property, "timestamp", value) AS source_id,
    dealid AS deal_id, moment("timestamp") AS counted_at, CAST(number_of(value) AS INTEGER) AS people, NULL AS fate
FROM src."deals_property_history" WHERE lower(property) = 'num_associated_contacts'
