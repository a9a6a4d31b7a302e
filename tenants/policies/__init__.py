"""What an organization demands of its members, set by its admins."""
