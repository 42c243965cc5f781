"""Which role in a buying group a CRM value or a title says."""
