"""Who customers are, in plain values: standard fields, rules, and how a customer stands.

Pure: nothing here knows a table, a request or a plug-in.
"""
