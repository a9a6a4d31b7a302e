"""Who belongs to an organization, with which role: the members' page and endpoints, and what they call."""
