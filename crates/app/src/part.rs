//! `--only`: selects a part of a stack by address, tier or tag.

use std::collections::{BTreeMap, BTreeSet};

use drstack_core::address::{Address, ComponentAddress};
use drstack_core::compile::compile;
use drstack_core::facts::Facts;
use drstack_core::objective::Mode;
use drstack_core::part::Sequence;
use drstack_core::plan::waits::Order;
use drstack_core::stack::Stack;

use crate::failure::{Failure, Status};
use crate::operator::News;
use crate::session::Session;
use crate::text;

/// Returns the addresses that `names` select: an address itself, the components of a tier for
/// `tier=N`, those with a tag for `tag:KEY=VALUE`.
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

impl Session {
    /// Returns the order in which the stack fails over.
    pub(crate) fn sequence(&self) -> Sequence {
        Sequence::of(&self.stack, &self.kinds)
    }

    /// Returns the part that fails over if the operator named these addresses: they, and what they
    /// wait for, which is reported.
    ///
    /// All of the part is in mode active afterwards, so that no user is sent to a component in
    /// standby.
    pub(crate) fn part(&self, named: Vec<String>) -> Result<Vec<String>, Failure> {
        if named.is_empty() {
            return Ok(named);
        }
        // The name of a resource stands for its component, since components have a mode.
        let whole = |name: String| Address::parse(&name).map_or(name, |it| it.component().to_string());
        let named: Vec<String> = named.into_iter().map(whole).collect();
        let along = self.sequence().along(&self.stack, &named);
        let mut by_whom: BTreeMap<&ComponentAddress, Vec<&ComponentAddress>> = BTreeMap::new();
        for (component, whom) in &along {
            by_whom.entry(whom).or_default().push(component);
        }
        for (whom, all) in by_whom {
            self.tell(News::Along { component: whom, needs: &all });
        }
        Ok(named.into_iter().chain(along.into_keys().map(|it| it.to_string())).collect())
    }

    /// Stops waiting for `names`. Each has to name something that traffic waits for; for a planned
    /// failover, possibly replicated data.
    pub(crate) fn go_without(&mut self, names: &[String], is_planned: bool) -> Result<(), Failure> {
        let sequence = self.sequence();
        let known: BTreeSet<String> = sequence.parts().map(ToString::to_string).collect();
        // Data that stands ready is waited for only where it does not.
        let graph = compile(&self.stack, &Facts::default(), Mode::Active).graph;
        let order = Order::of(&graph, &self.kinds);
        let ready: BTreeSet<String> = order.all().map(|(it, _)| it.component().to_string()).collect();
        for name in names {
            let is_known = known.iter().chain(&ready).any(|it| ComponentAddress::new(it).is_within(name));
            // The data that a planned failover waits for is known only after it has observed.
            if !is_known && !is_planned {
                let hint = match text::nearest(name, known.iter().cloned()) {
                    Some(it) => format!("did you mean `{it}`?"),
                    None if known.is_empty() => "leave it out: traffic waits for nothing".to_owned(),
                    None => format!("traffic waits for {}", text::listed(&known.iter().collect::<Vec<_>>())),
                };
                return Err(Failure::new(
                    Status::Usage,
                    format!("`{name}` is nothing that is waited for"),
                    hint,
                ));
            }
        }
        self.decisions.without = names.to_vec();
        Ok(())
    }
}

fn of_tier(stack: &Stack, tier: &str) -> Result<Vec<String>, Failure> {
    let it = stack.components.values().filter(|it| it.objective.tier.to_string() == tier);
    let all: Vec<String> = it.map(|it| it.address.to_string()).collect();
    if all.is_empty() {
        let hint = "tiers are 1 to 3; `tier = 1` in a component puts it there";
        return Err(Failure::new(Status::Usage, format!("no component is of tier `{tier}`"), hint));
    }
    Ok(all)
}

fn of_tag(stack: &Stack, tag: &str) -> Result<Vec<String>, Failure> {
    let Some((key, value)) = tag.split_once('=') else {
        let hint = "write it as `tag:team=search`";
        return Err(Failure::new(Status::Usage, format!("`tag:{tag}` says no value"), hint));
    };
    let has = |tags: &std::collections::BTreeMap<String, String>| tags.get(key).is_some_and(|it| it == value);
    let it = stack.components.values().filter(|it| has(&it.tags));
    let all: Vec<String> = it.map(|it| it.address.to_string()).collect();
    if all.is_empty() {
        let tags = stack.components.values().flat_map(|it| &it.tags);
        let known: Vec<String> = tags.map(|(key, value)| format!("{key}={value}")).collect();
        let hint = match (text::nearest(tag, known.iter().cloned()), known.is_empty()) {
            (Some(it), _) => format!("did you mean `tag:{it}`?"),
            (None, false) => {
                "the stack has other tags: `tag = { ... }` in its components says which".to_owned()
            }
            (None, true) => format!("`tag = {{ {key} = \"{value}\" }}` in a component gives it that tag"),
        };
        return Err(Failure::new(Status::Usage, format!("no component has the tag `{tag}`"), hint));
    }
    Ok(all)
}
