"""The store on SQLite; its SQL stands in .sql files."""
