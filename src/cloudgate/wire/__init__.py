"""What do the bytes mean? Resource types, their schema, XML and JSON. Nothing here does I/O."""
