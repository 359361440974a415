"""Wire: what do the bytes mean? Resource types, schema, XML and JSON. No I/O."""
