"""Which release reads what arrives, and where the result goes: rules as records, and why one matches or does not."""
