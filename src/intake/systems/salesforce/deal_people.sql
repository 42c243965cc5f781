SELECT 'OpportunityContactRole' AS source_table, coalesce(id, concat(opportunityid, ':', contactid)) AS source_id,
    opportunityid AS deal_id, 'Contact' AS person_table, contactid AS person_id, role AS value, moment(createddate) AS joined_at,
    CASE WHEN flag(isdeleted) THEN coalesce(moment(systemmodstamp), moment(lastmodifieddate)) END AS left_at,
    coalesce(moment(lastmodifieddate), moment(createddate)) AS changed_at,
    CASE WHEN flag(isdeleted) AND coalesce(systemmodstamp, lastmodifieddate) IS NULL THEN 'meaningless: deleted'
         WHEN opportunityid IS NULL OR contactid IS NULL THEN 'unplaced: no contact or no opportunity in the row' END AS fate
FROM src."OpportunityContactRole"
