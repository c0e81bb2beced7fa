"""Who is the same person: Arrow in, Arrow out, no engine and no other room."""
