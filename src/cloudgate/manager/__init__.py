"""What is true, and what may change?

Each folder is one domain: its rules are pure functions, its operations run in one transaction
(`cloudgate.manager.work.Work`). Nothing here knows of HTTP, of XML or JSON, or of Envoy.
"""
