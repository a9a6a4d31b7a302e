"""The sessions of one's own account: where one is logged in, and ending what should not be."""
