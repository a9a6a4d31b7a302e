"""Creating, renaming and deleting organizations: state machines in the organization's own document."""
