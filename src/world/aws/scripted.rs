//! An AWS endpoint for tests: answers as the script says, remembers what it was asked.
