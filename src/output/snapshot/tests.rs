//! Snapshots of made-up runs.
