//! The browser planner.
