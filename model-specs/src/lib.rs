//! Model data.
