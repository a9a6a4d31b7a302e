"""Invitations into an organization: one for an address at a time, good for a week, and for that address alone."""
