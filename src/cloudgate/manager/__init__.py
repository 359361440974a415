"""Manager: what is true, and what may change?

Each folder is one domain: its rules are pure functions, its operations run in one transaction
(`cloudgate.manager.core.unit_of_work.UnitOfWork`). Nothing here knows of HTTP, XML, JSON or Envoy.
"""
