"""Exports of CRM and marketing tools to the contract's tables (design.md, Intake)."""
