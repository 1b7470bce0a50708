//! Damage by hand, one field at a time: each was a crash, a hang or a wrong answer once.
