//! Names of AWS objects, derived from stack and component; the same input gives the same name.

use drstack_core::address::ComponentAddress;
use drstack_core::cloud::sha256;
pub use drstack_core::stack::partition;

/// Namespace of the metric that shows which region serves.
pub const NAMESPACE: &str = "drstack";
/// Name of that metric.
pub const METRIC: &str = "standby-serves";

/// Returns `text` if it has at most `limit` characters, else its beginning and a hash of the whole.
pub fn fit(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let hash = &sha256(text.as_bytes())[..8];
    let start = text.get(..limit - hash.len() - 1).unwrap_or_default().trim_end_matches(['-', '.']);
    format!("{start}-{hash}")
}

/// Returns `drstack-STACK-COMPONENT`, followed by `-SUFFIX` if the suffix is not empty.
pub fn owned(stack: &str, component: &ComponentAddress, suffix: &str, limit: usize) -> String {
    let tail = if suffix.is_empty() { String::new() } else { format!("-{suffix}") };
    let start = fit(&format!("drstack-{stack}-{}", component.slug()), limit - tail.len());
    format!("{start}{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_stay_distinct_and_short() {
        let long = |end| fit(&format!("{}{end}", "a".repeat(80)), 63);
        assert_eq!(long("x").len(), 63);
        assert_ne!(long("x"), long("y"));
        assert_eq!(fit("short", 63), "short");
        let name = owned("s", &ComponentAddress::new("bucket.models"), "replication", 64);
        assert_eq!(name, "drstack-s-bucket-models-replication");
        assert_eq!(["us-west-2", "cn-north-1"].map(partition), ["aws", "aws-cn"]);
    }
}
