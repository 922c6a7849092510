//! Scope of a plan that is limited to targets.

use std::collections::{BTreeMap, BTreeSet};

use super::copies::copied;
use crate::address::Address;
use crate::graph::{Graph, Resource};
use crate::kind::KindRegistry;
use crate::plan::waits::Order;
use crate::plan::{Intent, Options};

/// The targets and what they need; `None` (everything) without targets.
///
/// A destroy takes in what needs the targets instead.
pub(super) struct Reach<'a>(Option<BTreeSet<&'a Address>>);

impl<'a> Reach<'a> {
    /// Computes the scope; in mode active traffic takes in what it waits for.
    pub(super) fn of(
        want: &'a Graph,
        kinds: &KindRegistry,
        options: &Options,
        order: Option<&Order<'a>>,
    ) -> Self {
        Self((!options.targets.is_empty()).then(|| around_targets(want, kinds, options, order)))
    }

    pub(super) fn contains(&self, address: &Address) -> bool {
        self.0.as_ref().is_none_or(|scope| scope.contains(address))
    }
}

fn around_targets<'a>(
    want: &'a Graph,
    kinds: &KindRegistry,
    options: &Options,
    order: Option<&Order<'a>>,
) -> BTreeSet<&'a Address> {
    let is_target = |address: &Address| options.targets.iter().any(|target| address.is_within(target));
    let destroys = options.intent == Intent::Destroy;
    // A copy that others use, too, is handed over to them and not destroyed with the first.
    let mut shared: BTreeSet<&Address> = BTreeSet::new();
    for (user, resource) in want.resources.iter().filter(|(user, _)| destroys && !is_target(user)) {
        let used = resource.needed().filter_map(|it| want.resources.get(it));
        let used = used.filter(|it| copied(kinds, &it.kind).is_some());
        let used = used.filter(|it| it.address.component() != user.component());
        shared.extend(used.map(|it| &it.address));
    }
    // Data that a destroy keeps is no reason to destroy what uses it.
    let stays = |it: &Resource| {
        kinds.get(&it.kind).is_some_and(|kind| kind.role().holds_data())
            && (shared.contains(&it.address)
                || !options.delete_data.iter().any(|name| it.address.is_named_by(name)))
    };
    let mut edges: BTreeMap<&Address, Vec<&Address>> = BTreeMap::new();
    for (address, resource) in &want.resources {
        for need in resource.needs() {
            let Some((need, needed)) = want.resources.get_key_value(&need) else { continue };
            match options.intent {
                Intent::Destroy if stays(needed) => {}
                Intent::Destroy => edges.entry(need).or_default().push(address),
                _ => edges.entry(address).or_default().push(need),
            }
        }
    }
    let traffic = order.iter().flat_map(|order| order.traffic());
    let traffic: BTreeMap<&Address, &Resource> = traffic.map(|it| (&it.address, it)).collect();
    let mut scope = BTreeSet::new();
    let targets = want.resources.keys().filter(|address| is_target(address) && !shared.contains(address));
    let mut open: Vec<&Address> = targets.collect();
    while let Some(address) = open.pop() {
        if scope.insert(address) {
            open.extend(edges.get(address).into_iter().flatten());
            if let (Some(order), Some(traffic)) = (order, traffic.get(address)) {
                open.extend(order.before(traffic).map(|(address, _)| address));
            }
        }
    }
    scope
}
