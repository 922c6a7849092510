//! Order of a failover by component, as far as the stack itself determines it; pure.
//!
//! It shows the order before anything is done, and what must fail over along with a part of the
//! stack.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::address::{Address, ComponentAddress};
use crate::compile::compile;
use crate::component::Seed;
use crate::diagnostic::{Diagnostic, Severity};
use crate::facts::{Fact, Facts};
use crate::graph::{Resource, Waits};
use crate::kind::{DynKind, KindRegistry, Place};
use crate::objective::Mode;
use crate::plan::waits::{Order, Part};
use crate::stack::Stack;

/// Components that a warning names before it only counts them.
const NAMED: usize = 5;

/// Code of the warning that no check asks what serves.
pub const NEVER_ASKED: &str = "DR205";

/// A component that moves traffic, and its dependencies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moves {
    /// Its tier.
    pub tier: u8,
    /// Components that the stack names for it to wait for; `None` if that follows from the tiers.
    pub named: Option<BTreeSet<ComponentAddress>>,
}

/// Order of a failover of a whole stack.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sequence {
    /// Components that move traffic.
    pub moves: BTreeMap<ComponentAddress, Moves>,
    /// Components that a failover restores, raises or checks, with their tiers.
    parts: BTreeMap<ComponentAddress, (u8, BTreeSet<Part>)>,
    /// Other components that publish which region serves: writers read it there.
    says_where: BTreeSet<ComponentAddress>,
    /// Components with a check that asks the service.
    asked: BTreeSet<ComponentAddress>,
}

/// Returns simulated facts for `stack`: enough to know the order, whatever the live regions really
/// answer.
fn sketched(stack: &Stack) -> Facts {
    let seeds =
        stack.components.values().flat_map(|it| it.component.seeds(&it.spec, &stack.facts, &it.address));
    let facts = seeds.filter_map(|seed| match seed {
        Seed::Fact { query, value } => Some((query.key(), Fact::new(Timestamp::UNIX_EPOCH, value))),
        Seed::Resource { .. } => None,
    });
    Facts { answers: facts.collect(), ..Facts::default() }
}

fn asks_service(kind: &dyn DynKind, resource: &Resource) -> bool {
    // A spec of another shape is reported where the resource is planned.
    kind.check().is_some_and(|check| check.asks_service(&resource.spec).unwrap_or(false))
}

/// Names the first of `components`, and counts the rest.
fn listed(components: &BTreeSet<ComponentAddress>) -> String {
    let names: Vec<&str> = components.iter().take(NAMED).map(|it| it.as_str()).collect();
    match components.len().saturating_sub(NAMED) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

impl Sequence {
    /// Computes the order of `stack`, whatever the live regions answer.
    pub fn of(stack: &Stack, kinds: &KindRegistry) -> Self {
        let facts = sketched(stack);
        let [standby, active] = [Mode::Standby, Mode::Active].map(|mode| compile(stack, &facts, mode).graph);
        let order = Order::of(&active, kinds);
        let mut sequence = Self::default();
        for (address, part) in order.all() {
            // Existing copies are not restored.
            if part != Part::Data || !standby.resources.contains_key(address) {
                let parts = sequence.parts.entry(address.component());
                let new = || (active.resources[address].tier, BTreeSet::new());
                parts.or_insert_with(new).1.insert(part);
            }
        }
        for resource in order.traffic() {
            let traffic = resource.address.component();
            let named = resource.after.iter().map(Address::component);
            let named = named.filter(|it| *it != traffic && sequence.parts.contains_key(it));
            let is_named = resource.waits == Waits::Named;
            let (tier, named) = (resource.tier, is_named.then(|| named.collect::<BTreeSet<_>>()));
            let moves = sequence.moves.entry(traffic).or_insert(Moves { tier, named: None });
            if let Some(named) = named {
                moves.named.get_or_insert_default().extend(named);
            }
        }
        let asks = |it: &&Resource| kinds.get(&it.kind).is_some_and(|kind| asks_service(kind, it));
        sequence.asked = active.resources.values().filter(asks).map(|it| it.address.component()).collect();
        let says_another = |(address, it): &(&Address, &Resource)| {
            let before = standby.resources.get(*address);
            it.place == Place::Standby && before.is_some_and(|before| before.spec != it.spec)
        };
        let others = active.resources.iter().filter(says_another).map(|(address, _)| address.component());
        let is_other =
            |it: &ComponentAddress| !sequence.parts.contains_key(it) && !sequence.moves.contains_key(it);
        sequence.says_where = others.filter(is_other).collect();
        sequence
    }

    /// Returns what a traffic component waits for: restored data, serving capacity, passing checks.
    pub fn before<'a>(
        &'a self,
        moves: &'a Moves,
    ) -> impl Iterator<Item = (&'a ComponentAddress, &'a BTreeSet<Part>)> {
        self.parts.iter().filter_map(move |(address, (tier, parts))| {
            let is_waited = match &moves.named {
                Some(named) => named.contains(address),
                None => *tier <= moves.tier,
            };
            is_waited.then_some((address, parts))
        })
    }

    /// Returns the components that serve users and that nothing asks, if the service checks of
    /// `asked` pass.
    ///
    /// A check asks its own component. A check of traffic also asks the pools that the traffic waits
    /// for, since its answer comes from behind them; and traffic without a check is asked if all
    /// these pools are.
    pub fn unasked(&self, asked: &BTreeSet<ComponentAddress>) -> BTreeSet<ComponentAddress> {
        let pools = |moves| {
            let runs = |(_, parts): &(_, &BTreeSet<Part>)| parts.contains(&Part::Capacity);
            self.before(moves).filter(runs).map(|(address, _)| address)
        };
        let mut all: BTreeSet<_> = asked.iter().collect();
        for (_, moves) in self.moves.iter().filter(|(traffic, _)| asked.contains(*traffic)) {
            all.extend(pools(moves));
        }
        let is_asked = |traffic: &ComponentAddress, moves| {
            asked.contains(traffic)
                || (pools(moves).next().is_some() && pools(moves).all(|it| all.contains(it)))
        };
        let traffic = self.moves.iter().filter(|(traffic, moves)| !is_asked(traffic, moves));
        let runs = self.parts.iter().filter(|(_, (_, parts))| parts.contains(&Part::Capacity));
        let pools = runs.map(|(address, _)| address).filter(|it| !all.contains(*it));
        traffic.map(|(address, _)| address).chain(pools).cloned().collect()
    }

    /// Warns about components that serve users and that no check of the stack asks.
    pub fn never_asked(&self, stack: &Stack) -> Option<Diagnostic> {
        let unasked = self.unasked(&self.asked);
        let first = unasked.first()?;
        Some(Diagnostic {
            code: NEVER_ASKED,
            severity: Severity::Warning,
            message: format!(
                "no check asks whether {} {} in the standby region: a failover could not tell",
                listed(&unasked),
                if unasked.len() == 1 { "answers" } else { "answer" },
            ),
            labels: stack.components.get(first).map(|it| it.labels("")).unwrap_or_default(),
            help: Some(format!(
                "write a check: `[[{}.check]]` with `http` or `command` (docs/guide/checks.md); the `probe` of `[traffic]` asks all pools that the traffic waits for",
                first.in_file()
            )),
        })
    }

    /// Returns the components that a failover restores, raises, checks or moves.
    pub fn all(&self) -> impl Iterator<Item = &ComponentAddress> {
        self.parts.keys().chain(self.moves.keys())
    }

    /// Returns the components that a failover restores, raises or checks.
    pub fn parts(&self) -> impl Iterator<Item = &ComponentAddress> {
        self.parts.keys()
    }

    /// Returns the components that must fail over along with the `named` ones of `stack`.
    ///
    /// Each comes with the component that waits for it or reads it.
    pub fn along(&self, stack: &Stack, named: &[String]) -> BTreeMap<ComponentAddress, ComponentAddress> {
        let is_named = |it: &ComponentAddress| named.iter().any(|name| it.is_within(name));
        // A part may also be named by the address of one of its resources.
        let holds = |it: &ComponentAddress| {
            named.iter().any(|name| name.strip_prefix(it.as_str()).is_some_and(|rest| rest.starts_with('/')))
        };
        let mut open: Vec<&ComponentAddress> =
            stack.components.keys().filter(|it| is_named(it) || holds(it)).collect();
        let mut along = BTreeMap::new();
        while let Some(component) = open.pop() {
            let waited = self.moves.get(component).into_iter().flat_map(|it| self.before(it));
            let waited = waited.map(|(address, _)| address);
            // Writers go where traffic goes: none of them may still be pointed at the other region.
            let told = self.moves.get(component).into_iter().flat_map(|_| &self.says_where);
            let read = stack.components.get(component).into_iter().flat_map(|it| &it.refers_to);
            let read = read.filter(|it| self.parts.contains_key(*it) && !self.moves.contains_key(component));
            for other in waited.chain(told).chain(read) {
                if !is_named(other) && !along.contains_key(other) {
                    along.insert(other.clone(), component.clone());
                    open.push(other);
                }
            }
        }
        along
    }

    /// Warns about pools that an `after` leaves out: their tier would have traffic wait for them,
    /// and no other traffic does.
    pub fn left_out(&self, stack: &Stack) -> Vec<Diagnostic> {
        let by_tier = self.moves.values().filter(|it| it.named.is_none()).map(|it| it.tier).max();
        let named: BTreeSet<_> = self.moves.values().flat_map(|it| it.named.iter().flatten()).collect();
        let is_waited = |of: &ComponentAddress, tier: u8| by_tier >= Some(tier) || named.contains(of);
        let mut warnings = Vec::new();
        for (traffic, moves) in self.moves.iter().filter(|(_, it)| it.named.is_some()) {
            let left_out = self.parts.iter().filter(|(address, (tier, parts))| {
                *tier <= moves.tier && parts.contains(&Part::Capacity) && !is_waited(address, *tier)
            });
            let left_out: Vec<&ComponentAddress> = left_out.map(|(address, _)| address).collect();
            let Some(declared) = stack.components.get(traffic).filter(|_| !left_out.is_empty()) else {
                continue;
            };
            warnings.push(Diagnostic {
                code: "DR257",
                severity: Severity::Warning,
                message: format!(
                    "{traffic}: a failover moves its traffic without waiting for {}, and no other traffic waits for that",
                    left_out.iter().map(|it| it.as_str()).collect::<Vec<_>>().join(", ")
                ),
                labels: declared.labels("after"),
                help: Some(
                    "name in `after` what users need, or leave `after` out: then it waits for all of its tier and the tiers before it"
                        .to_owned(),
                ),
            });
        }
        warnings
    }
}
