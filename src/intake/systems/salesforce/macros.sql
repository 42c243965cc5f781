-- A related record is a person if it is one in the export, whatever its id looks like.
CREATE MACRO starts_with_person(x) AS
    x IN (SELECT id FROM src."Contact") OR x IN (SELECT id FROM src."Lead");
