//! Facts: shapes of what the live regions are asked. One file each; the asking is under feature `aws`.
