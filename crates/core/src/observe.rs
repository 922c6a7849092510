//! Observe: what the cloud really holds of what is wanted and owned.
