//! `--only`: the part of a stack that is meant, by address, tier or tag.

use drstack_core::stack::Stack;

use crate::exit::{Exit, Failure};
use crate::views;

/// The addresses that `names` stand for: themselves, the components of a tier for `tier=N`, those that carry a tag for `tag:KEY=VALUE`.
pub(crate) fn addresses(stack: &Stack, names: &[String]) -> Result<Vec<String>, Failure> {
    let mut all = Vec::new();
    for name in names {
        if let Some(tier) = name.strip_prefix("tier=") {
            all.extend(of_tier(stack, tier)?);
        } else if let Some(tag) = name.strip_prefix("tag:") {
            all.extend(of_tag(stack, tag)?);
        } else {
            all.push(name.clone());
        }
    }
    Ok(all)
}

fn of_tier(stack: &Stack, tier: &str) -> Result<Vec<String>, Failure> {
    let it = stack.components.values().filter(|it| it.objective.tier.to_string() == tier);
    let all: Vec<String> = it.map(|it| it.address.to_string()).collect();
    if all.is_empty() {
        let hint = "tiers are 1 to 3; `tier = 1` in a component puts it there";
        return Err(Failure::new(Exit::Usage, format!("no component is of tier `{tier}`"), hint));
    }
    Ok(all)
}

fn of_tag(stack: &Stack, tag: &str) -> Result<Vec<String>, Failure> {
    let Some((key, value)) = tag.split_once('=') else {
        let hint = "write it as `tag:team=search`";
        return Err(Failure::new(Exit::Usage, format!("`tag:{tag}` says no value"), hint));
    };
    let has = |tags: &std::collections::BTreeMap<String, String>| tags.get(key).is_some_and(|it| it == value);
    let it = stack.components.values().filter(|it| has(&it.tags));
    let all: Vec<String> = it.map(|it| it.address.to_string()).collect();
    if all.is_empty() {
        let tags = stack.components.values().flat_map(|it| &it.tags);
        let known: Vec<String> = tags.map(|(key, value)| format!("{key}={value}")).collect();
        let hint = match (views::nearest(tag, known.iter().cloned()), known.is_empty()) {
            (Some(it), _) => format!("did you mean `tag:{it}`?"),
            (None, false) => {
                "the stack has other tags: `tag = { ... }` in its components says which".to_owned()
            }
            (None, true) => format!("`tag = {{ {key} = \"{value}\" }}` in a component gives it that tag"),
        };
        return Err(Failure::new(Exit::Usage, format!("no component has the tag `{tag}`"), hint));
    }
    Ok(all)
}
