"""Values: what does a text name? Identifiers, moments, and what people type."""
