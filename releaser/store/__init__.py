"""What is remembered: SQLAlchemy tables beside their queries, one file per noun."""
