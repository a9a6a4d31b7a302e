"""Rules for records: a JSON Schema for each organization that wants one."""
