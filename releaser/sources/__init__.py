"""What is outside and gets read: git repositories, image registries, declared files."""
