//! Tags of the primary's group, which a pool carries beside those of the stack.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A tag of a group, without its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupTag {
    /// Its value.
    pub value: String,
    /// True if instances that the group launches get it too.
    pub at_launch: bool,
}

/// Tags by key.
pub type GroupTags = BTreeMap<String, GroupTag>;

/// Prefixes of the tags that AWS or drstack writes.
const WRITTEN: [&str; 2] = ["aws:", "drstack:"];
/// The tag that names what the stack makes.
const NAME: &str = "Name";

/// Returns the tags that a pool carries: the user's own, without the name.
pub fn carried(all: impl IntoIterator<Item = (String, GroupTag)>) -> GroupTags {
    let is_own = |key: &str| key != NAME && !WRITTEN.iter().any(|prefix| key.starts_with(prefix));
    all.into_iter().filter(|(key, _)| is_own(key)).collect()
}

/// Most tags of a resource of AWS (Auto Scaling User Guide, tag restrictions).
const MOST_TAGS: usize = 50;
/// Tags that drstack writes on a group and its instances: `Name` and seven of `drstack:`.
const OWN_TAGS: usize = 8;
/// Most tags that a pool carries.
pub const MOST_CARRIED: usize = MOST_TAGS - OWN_TAGS;

/// Takes the tags out of `all` that a group has no room for, and returns their keys.
pub fn beyond_limit(all: &mut GroupTags) -> Vec<String> {
    let beyond: Vec<String> = all.keys().skip(MOST_CARRIED).cloned().collect();
    all.retain(|key, _| !beyond.contains(key));
    beyond
}

/// Returns those of `live` that the pool carries; others may have been added by hand.
pub fn among(live: &GroupTags, wanted: &GroupTags) -> GroupTags {
    let both = live.iter().filter(|(key, _)| wanted.contains_key(*key));
    both.map(|(key, tag)| (key.clone(), tag.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(all: &[(&str, &str)]) -> GroupTags {
        let tag = |value: &str| GroupTag { value: value.to_owned(), at_launch: true };
        all.iter().map(|(key, value)| ((*key).to_owned(), tag(value))).collect()
    }

    /// C1
    #[test]
    fn the_tags_of_users_are_carried() {
        let all = tags(&[("aws:x", "1"), ("drstack:stack", "fleet"), ("Name", "web"), ("team", "ml")]);
        assert_eq!(carried(all), tags(&[("team", "ml")]));
        let mut many = (10..60)
            .map(|it| (format!("t{it}"), GroupTag { value: "1".to_owned(), at_launch: true }))
            .collect();
        assert_eq!(beyond_limit(&mut many).first().map(String::as_str), Some("t52"));
        assert_eq!((many.len(), beyond_limit(&mut many).len()), (MOST_CARRIED, 0));
        let live = tags(&[("team", "web"), ("cost", "7")]);
        assert_eq!(among(&live, &tags(&[("team", "ml"), ("env", "prod")])), tags(&[("team", "web")]));
    }
}
