"""Storage: where is the truth kept? Tables, the database, and its migrations."""
