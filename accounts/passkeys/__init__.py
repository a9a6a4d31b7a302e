"""Passkeys (W3C Web Authentication, Level 3): added, named and removed; as second factor, and alone as both."""
