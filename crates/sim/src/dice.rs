//! Random choices: each is a hash of the seed and of the decision, so that task order changes none.

use drstack_core::cloud::sha256;

/// Returns the hash of these parts in lower-case hex; parts are separated, so they cannot run
/// together.
pub(crate) fn hash(seed: u64, parts: &[&str]) -> String {
    let mut text = seed.to_string();
    for part in parts {
        text.push('\0');
        text.push_str(part);
    }
    sha256(text.as_bytes())
}

/// Returns a number from 0 up to, but not including, 1, determined by these parts.
pub(crate) fn roll(seed: u64, parts: &[&str]) -> f64 {
    let hex = hash(seed, parts);
    // 13 hex digits are 52 bits, which a double holds exactly.
    let drawn = u64::from_str_radix(&hex[..13], 16).unwrap_or(0);
    drawn as f64 / (1_u64 << 52) as f64
}

/// Returns the id for a new resource: the kind, shortened as AWS does, and 17 hex digits.
pub(crate) fn new_id(seed: u64, kind: &str, parts: &[&str]) -> String {
    let prefix: String = if kind.contains('-') {
        kind.split('-').filter_map(|word| word.chars().next()).collect()
    } else {
        kind.to_owned()
    };
    format!("{prefix}-0{}", &hash(seed, parts)[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rolls_are_spread_evenly_and_repeat() {
        let rolls: Vec<f64> = (0..1000).map(|n| roll(7, &["create", &n.to_string()])).collect();
        let low = rolls.iter().filter(|roll| **roll < 0.3).count();
        assert!((250..350).contains(&low), "{low}");
        assert_eq!(rolls[3], roll(7, &["create", "3"]));
        assert_ne!(rolls[3], roll(8, &["create", "3"]));
        assert_ne!(hash(1, &["a", "bc"]), hash(1, &["ab", "c"]));
    }

    #[test]
    fn ids_look_like_those_of_aws() {
        let id = new_id(1, "launch-template", &["x"]);
        assert!(id.starts_with("lt-0") && id.len() == 20, "{id}");
        assert!(new_id(1, "vpc", &["x"]).starts_with("vpc-0"));
    }
}
