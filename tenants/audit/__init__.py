"""The audit of an organization, for its admins: looked through, exported."""
