"""Which records are one company, and which one person (名寄せ)."""
