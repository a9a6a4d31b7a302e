"""Indexes that an organization adds to its collection."""
