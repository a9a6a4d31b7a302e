"""The records of an organization: what they may hold, how they are stored, found, changed and listed."""
