"""Files become records: streamed, in batches, repeatable, one at a time in an organization.

A file is read twice. The first reading looks at its form alone and writes nothing, so that a file that cannot be
understood leaves nothing behind; the second one makes records of its lines.
"""
