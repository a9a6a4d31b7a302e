"""Mail: put into a queue of the master database by whoever acts, delivered by the worker. See docs/mail.md."""
