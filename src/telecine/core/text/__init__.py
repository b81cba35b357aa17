"""Text that people write or read: documents, expressions, tables for notebooks, names shown safely."""
