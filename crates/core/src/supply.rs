//! What a region has for the instances that a failover would add: whether it offers their types, how many the account
//! may run, and addresses for them. Pure: a cloud answers, see [`crate::cloud::Cloud::supply`].
//!
//! Whether a region has the capacity on the day is not among it: no API of AWS says that beforehand.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::address::Address;
use crate::cloud::CloudError;
use crate::graph::Graph;
use crate::kind::{KindRegistry, ShapeError};
use crate::link::{Link, resolve};

/// The instances that a failover would add to one resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// The resource that runs them.
    pub address: Address,
    /// Instance types, best first; those last that a failover climbs down to where the usual ones are short.
    pub types: Vec<String>,
    /// How much an instance of each type does, if it is not 1.
    pub weights: BTreeMap<String, u32>,
    /// How much is bought on-demand beside what runs, in the same measure.
    pub on_demand: u32,
    /// The same for spot instances.
    pub spot: u32,
    /// Ids of the subnets that they run in, as far as these exist.
    pub subnets: BTreeSet<String>,
    /// True if some of the subnets have yet to be made.
    pub more_subnets: bool,
}

impl Wanted {
    /// Returns how many instances of the best type are added.
    pub fn added(&self) -> u32 {
        self.instances(self.on_demand).saturating_add(self.instances(self.spot))
    }

    fn weight(&self, of: &str) -> u32 {
        self.weights.get(of).copied().unwrap_or(1).max(1)
    }

    /// Returns how many instances of the best type do that much.
    fn instances(&self, amount: u32) -> u32 {
        amount.div_ceil(self.types.first().map_or(1, |best| self.weight(best)))
    }

    /// Returns the zones of its subnets; `None` if some are not known: a subnet that is yet to be made may be in any.
    fn zones(&self, supply: &Supply) -> Option<BTreeSet<String>> {
        let zones = self.subnets.iter().map(|id| Some(supply.grounds.get(id)?.zone.clone()));
        let zones: BTreeSet<String> = zones.collect::<Option<_>>()?;
        Some(zones).filter(|zones| !zones.is_empty() && !self.more_subnets)
    }
}

/// An instance type that the region offers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Offer {
    /// The zones that offer it.
    pub zones: BTreeSet<String>,
    /// What one instance of it counts against a quota: vCPUs, for AWS.
    pub size: u32,
    /// The quota that on-demand instances count against, by its code; none if there is none.
    pub on_demand: Option<String>,
    /// The same for spot instances.
    pub spot: Option<String>,
}

/// A quota of the account in the region.
#[derive(Clone, Debug, PartialEq)]
pub struct Quota {
    /// Its name, and its code where it has one.
    pub name: String,
    /// What it counts, in the plural: `vCPUs`.
    pub unit: String,
    /// How much the account may run.
    pub limit: u32,
    /// How much it runs now, the stack's own instances included.
    pub used: u32,
    /// The command that asks for `N` of it, where there is one.
    pub raise: Option<String>,
}

impl Quota {
    /// Returns how much more the account may run.
    pub fn left(&self) -> u32 {
        self.limit.saturating_sub(self.used)
    }
}

/// A subnet.
#[derive(Clone, Debug, PartialEq)]
pub struct Ground {
    /// Its zone.
    pub zone: String,
    /// Addresses that nothing has; `None` if the cloud does not say.
    pub free: Option<u32>,
}

/// What a region has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Supply {
    /// The types that the region offers, of those asked for; `None` if it did not answer.
    pub offers: Option<BTreeMap<String, Offer>>,
    /// Quotas by code, as far as the region answered.
    pub quotas: BTreeMap<String, Quota>,
    /// Subnets by id, as far as the region answered.
    pub grounds: BTreeMap<String, Ground>,
    /// What was not answered: what was asked about, and the error.
    pub unknown: Vec<(String, CloudError)>,
}

/// One thing that is too little.
#[derive(Clone, Debug, PartialEq)]
pub enum Lack {
    /// Types that are not offered where the instances run.
    NotOffered {
        /// The resource that runs them.
        of: Address,
        /// The types, best first.
        types: Vec<String>,
        /// The best type that is offered; none if no instance comes up.
        instead: Option<String>,
        /// The zones of its subnets; none if they are not known.
        zones: BTreeSet<String>,
    },
    /// The account may not run as many as are added.
    Quota {
        /// The resource that adds them.
        of: Address,
        /// True for spot instances, false for on-demand ones.
        is_spot: bool,
        /// How many it adds.
        adds: u32,
        /// How many of them the quotas of its types leave room for, beside what comes up before it.
        fits: u32,
        /// The quota of its best type.
        quota: Quota,
        /// How much of that the account would run with all that a failover adds.
        needs: u32,
    },
    /// More instances are added than their subnets have addresses.
    Addresses {
        /// The resources that add them.
        of: Vec<Address>,
        /// How many they add.
        adds: u32,
        /// Addresses that nothing has.
        free: u32,
        /// Ids of the subnets.
        subnets: BTreeSet<String>,
    },
}

impl Lack {
    /// The resources that a failover brings up with less, or with something else.
    pub fn of(&self) -> &[Address] {
        match self {
            Self::NotOffered { of, .. } | Self::Quota { of, .. } => std::slice::from_ref(of),
            Self::Addresses { of, .. } => of,
        }
    }

    /// True if fewer instances come up; false if others do in their place.
    pub fn is_short(&self) -> bool {
        match self {
            Self::NotOffered { instead, .. } => instead.is_none(),
            Self::Quota { adds, fits, .. } => fits < adds,
            Self::Addresses { .. } => true,
        }
    }
}

/// Returns what a failover to `active` adds to what is `live`, for each resource to which it adds something.
///
/// # Errors
/// A value that does not have the shape of its kind.
pub fn wanted(
    active: &Graph,
    live: &dyn Fn(&Address) -> Option<Value>,
    outputs: &BTreeMap<Address, BTreeMap<String, String>>,
    kinds: &KindRegistry,
) -> Result<Vec<Wanted>, ShapeError> {
    let mut all = Vec::new();
    for resource in active.resources.values() {
        let Some(capacity) = kinds.get(&resource.kind).and_then(|kind| kind.capacity()) else { continue };
        let mut spec = resource.spec.clone();
        let known = |address: &Address, output: &str| outputs.get(address)?.get(output).cloned();
        resolve(&mut spec, &known);
        let demand = capacity.demand(&spec)?;
        let bought =
            live(&resource.address).map(|live| capacity.bought_as(&spec, &live)).transpose()?.flatten();
        let (on_demand, spot) = bought.map_or((0, 0), |it| (it.on_demand, it.spot()));
        let (mut types, mut weights) = (demand.types.clone(), demand.weights.clone());
        for rung in capacity.ladder(&spec)? {
            let lower = capacity.demand(&rung.spec)?;
            weights.extend(lower.weights);
            let more: Vec<String> = lower.types.into_iter().filter(|it| !types.contains(it)).collect();
            types.extend(more);
        }
        let within = capacity.within(&spec)?;
        let known = |link: &Link| match link {
            Link::Known(id) => Some(id.clone()),
            Link::Of { .. } => None,
        };
        let subnets: BTreeSet<String> = within.iter().filter_map(known).collect();
        let wanted = Wanted {
            address: resource.address.clone(),
            on_demand: demand.on_demand.saturating_sub(on_demand),
            spot: demand.spot().saturating_sub(spot),
            types,
            weights,
            more_subnets: subnets.len() < within.len(),
            subnets,
        };
        all.extend((wanted.added() > 0).then_some((resource.tier, wanted)));
    }
    // The first tier gets what there is.
    all.sort_by_key(|(tier, _)| *tier);
    Ok(all.into_iter().map(|(_, it)| it).collect())
}

/// Returns what is lacking of what is `wanted`, in its order. What the region did not answer lacks nothing:
/// [`Supply::unknown`].
pub fn lacks(wanted: &[Wanted], supply: &Supply) -> Vec<Lack> {
    let Some(offers) = &supply.offers else { return crowded(wanted, supply) };
    let mut all = Vec::new();
    let mut fitting = Vec::new();
    for it in wanted {
        let zones = it.zones(supply);
        let is_offered = |of: &&String| {
            let is_there = |offer: &Offer| zones.as_ref().is_none_or(|zones| !offer.zones.is_disjoint(zones));
            offers.get(*of).is_some_and(is_there)
        };
        let (offered, missing): (Vec<&String>, Vec<&String>) = it.types.iter().partition(is_offered);
        if !missing.is_empty() {
            all.push(Lack::NotOffered {
                of: it.address.clone(),
                types: missing.into_iter().cloned().collect(),
                instead: offered.first().map(|it| (*it).clone()),
                zones: zones.unwrap_or_default(),
            });
        }
        let offers = offered.into_iter().filter_map(|of| Some((it.weight(of), offers.get(of)?)));
        fitting.push((it, offers.collect()));
    }
    all.extend(beyond_quotas(&fitting, &supply.quotas));
    all.extend(crowded(wanted, supply));
    all
}

/// What is added to a resource, and for each of its types that is offered how much one instance does, best first.
type Fitting<'a> = (&'a Wanted, Vec<(u32, &'a Offer)>);

/// One type: how much an instance of it does, and how much that counts against which quota.
type Counted<'a> = (u32, u32, Option<&'a str>);

/// Returns what is added in each purchase option, with whether that is spot, and the types, best first.
fn by_option<'a>((it, offers): &Fitting<'a>) -> [(bool, u32, Vec<Counted<'a>>); 2] {
    let counted = |code: fn(&'a Offer) -> Option<&'a str>| {
        offers.iter().map(|(weight, it)| (*weight, it.size, code(it))).collect()
    };
    [
        (false, it.on_demand, counted(|it| it.on_demand.as_deref())),
        (true, it.spot, counted(|it| it.spot.as_deref())),
    ]
}

/// Returns which of `wanted` do not fit into `quotas`.
fn beyond_quotas(wanted: &[Fitting<'_>], quotas: &BTreeMap<String, Quota>) -> Vec<Lack> {
    let mut needs: BTreeMap<&str, u32> = BTreeMap::new();
    for (_, amount, types) in wanted.iter().flat_map(by_option) {
        if let Some((weight, size, Some(code))) = types.first() {
            let need = needs.entry(code).or_default();
            *need = need.saturating_add(size.saturating_mul(amount.div_ceil(*weight)));
        }
    }
    let mut left: BTreeMap<&str, u32> = quotas.iter().map(|(code, it)| (code.as_str(), it.left())).collect();
    let mut all = Vec::new();
    for it in wanted {
        for (is_spot, amount, types) in by_option(it) {
            let (mut open, mut is_first_enough) = (amount, true);
            for (number, (weight, size, code)) in types.iter().enumerate() {
                // What counts against no quota, or one that did not answer, is limited by nothing that is known.
                let Some(left) = code.and_then(|code| left.get_mut(code)) else {
                    open = 0;
                    break;
                };
                let fits = open.div_ceil(*weight).min(*left / (*size).max(1));
                *left -= fits.saturating_mul(*size);
                open = open.saturating_sub(fits.saturating_mul(*weight));
                is_first_enough &= number > 0 || open == 0;
            }
            let code = types.first().and_then(|(.., code)| *code);
            let Some((quota, code)) = code.and_then(|code| Some((quotas.get(code)?, code))) else { continue };
            if !is_first_enough {
                let needs = quota.used.saturating_add(needs.get(code).copied().unwrap_or(0));
                let (of, quota, adds) = (it.0.address.clone(), quota.clone(), it.0.instances(amount));
                let fits = adds - it.0.instances(open);
                all.push(Lack::Quota { of, is_spot, adds, fits, quota, needs });
            }
        }
    }
    all
}

/// Returns the subnets that have fewer free addresses than instances are added in them.
fn crowded(wanted: &[Wanted], supply: &Supply) -> Vec<Lack> {
    // Those that share subnets share their addresses.
    let mut by_subnets: BTreeMap<&BTreeSet<String>, Vec<&Wanted>> = BTreeMap::new();
    for it in wanted.iter().filter(|it| !it.subnets.is_empty() && !it.more_subnets) {
        by_subnets.entry(&it.subnets).or_default().push(it);
    }
    let lack = |(subnets, all): (&BTreeSet<String>, Vec<&Wanted>)| {
        let free = subnets.iter().map(|id| supply.grounds.get(id)?.free).sum::<Option<u32>>()?;
        let adds: u32 = all.iter().map(|it| it.added()).sum();
        let of = all.iter().map(|it| it.address.clone()).collect();
        (adds > free).then(|| Lack::Addresses { of, adds, free, subnets: subnets.clone() })
    };
    by_subnets.into_iter().filter_map(lack).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(name: &str, types: &[&str], on_demand: u32, spot: u32) -> Wanted {
        Wanted {
            address: Address::parse(&format!("pool.{name}/group")).unwrap(),
            types: types.iter().map(|it| (*it).to_owned()).collect(),
            weights: BTreeMap::new(),
            on_demand,
            spot,
            subnets: ["subnet-a".to_owned(), "subnet-b".to_owned()].into(),
            more_subnets: false,
        }
    }

    /// A region that offers `g5.xlarge` in one zone, and `g6.xlarge` in another.
    fn supply(limit: u32, used: u32) -> Supply {
        let offer = |zone: &str| Offer {
            zones: [zone.to_owned()].into(),
            size: 4,
            on_demand: Some("G".to_owned()),
            spot: Some("spot".to_owned()),
        };
        let quota = Quota { name: "G".to_owned(), unit: "vCPUs".to_owned(), limit, used, raise: None };
        let ground = |zone: &str| Ground { zone: zone.to_owned(), free: Some(10) };
        Supply {
            offers: Some([("g5.xlarge".to_owned(), offer("a")), ("g6.xlarge".to_owned(), offer("c"))].into()),
            quotas: [("G".to_owned(), quota)].into(),
            grounds: [("subnet-a".to_owned(), ground("a")), ("subnet-b".to_owned(), ground("b"))].into(),
            unknown: Vec::new(),
        }
    }

    #[test]
    fn pools_that_count_against_one_quota_are_added_up() {
        let both = [pool("x", &["g5.xlarge"], 3, 1), pool("y", &["g5.xlarge"], 2, 0)];
        assert_eq!(lacks(&both, &supply(32, 12)), []);
        let lacking = lacks(&both, &supply(32, 13));
        let [Lack::Quota { of, is_spot: false, adds: 2, fits: 1, needs: 33, quota }] = &lacking[..] else {
            panic!("{lacking:?}")
        };
        assert_eq!((of.as_str(), quota.left()), ("pool.y/group", 19));
        assert!(lacking[0].is_short());
        assert_eq!(lacks(&both[..1], &supply(32, 13)), []);
        let lacking = lacks(&both, &supply(8, 13));
        let of: Vec<&str> = lacking.iter().map(|it| it.of()[0].as_str()).collect();
        assert_eq!(of, ["pool.x/group", "pool.y/group"]);
    }

    #[test]
    fn what_one_quota_lacks_another_type_may_have() {
        let mut region = supply(8, 0);
        let mut other = region.offers.clone().unwrap()["g5.xlarge"].clone();
        (other.on_demand, other.size) = (Some("P".to_owned()), 8);
        region.offers.as_mut().unwrap().insert("p4d.huge".to_owned(), other);
        let p = Quota { limit: 16, ..region.quotas["G"].clone() };
        region.quotas.insert("P".to_owned(), p);
        let lacking = lacks(&[pool("x", &["g5.xlarge", "p4d.huge"], 4, 0)], &region);
        let [Lack::Quota { adds: 4, fits: 4, needs: 16, .. }] = &lacking[..] else { panic!("{lacking:?}") };
        assert!(!lacking[0].is_short());
        let lacking = lacks(&[pool("x", &["g5.xlarge", "p4d.huge"], 5, 0)], &region);
        assert!(matches!(&lacking[..], [it @ Lack::Quota { fits: 4, .. }] if it.is_short()), "{lacking:?}");
        // A quota that did not answer is no reason to call a pool short.
        region.quotas.remove("P");
        let lacking = lacks(&[pool("x", &["g5.xlarge", "p4d.huge"], 5, 0)], &region);
        assert!(matches!(&lacking[..], [it @ Lack::Quota { fits: 5, .. }] if !it.is_short()), "{lacking:?}");
    }

    #[test]
    fn an_instance_of_another_size_does_the_work_of_several() {
        let mut region = supply(8, 0);
        let mut larger = region.offers.clone().unwrap()["g5.xlarge"].clone();
        (larger.on_demand, larger.size) = (Some("P".to_owned()), 16);
        region.offers.as_mut().unwrap().insert("g5.4xlarge".to_owned(), larger);
        let p = Quota { limit: 32, ..region.quotas["G"].clone() };
        region.quotas.insert("P".to_owned(), p);
        let sized = |amount| Wanted {
            weights: [("g5.4xlarge".to_owned(), 4)].into(),
            ..pool("x", &["g5.xlarge", "g5.4xlarge"], amount, 0)
        };
        // Two of one and two of the other do the work of ten.
        let lacking = lacks(&[sized(10)], &region);
        assert!(
            matches!(&lacking[..], [it @ Lack::Quota { adds: 10, fits: 10, .. }] if !it.is_short()),
            "{lacking:?}"
        );
        let lacking = lacks(&[sized(11)], &region);
        assert!(
            matches!(&lacking[..], [it @ Lack::Quota { adds: 11, fits: 10, .. }] if it.is_short()),
            "{lacking:?}"
        );
    }

    #[test]
    fn a_type_is_offered_only_where_the_instances_run() {
        let lacking = lacks(&[pool("x", &["g6.xlarge", "g5.xlarge", "p9.huge"], 1, 0)], &supply(32, 0));
        let [Lack::NotOffered { types, instead, zones, .. }] = &lacking[..] else { panic!("{lacking:?}") };
        assert_eq!(types, &["g6.xlarge", "p9.huge"]);
        assert_eq!((instead.as_deref(), zones.len()), (Some("g5.xlarge"), 2));
        assert!(!lacking[0].is_short());
        let none = lacks(&[pool("x", &["g6.xlarge"], 1, 0)], &supply(0, 0));
        assert!(none.len() == 1 && none[0].is_short(), "{none:?}");
        // Where the subnets are not known yet, every zone counts.
        let anywhere = Wanted { more_subnets: true, ..pool("x", &["g6.xlarge"], 1, 0) };
        assert_eq!(lacks(&[anywhere], &supply(32, 0)), []);
    }

    #[test]
    fn pools_that_share_subnets_share_their_addresses() {
        let both = [pool("x", &["g5.xlarge"], 10, 1), pool("y", &["g5.xlarge"], 10, 0)];
        let lacking = lacks(&both, &supply(1_000, 0));
        let [Lack::Addresses { adds: 21, free: 20, of, .. }] = &lacking[..] else { panic!("{lacking:?}") };
        assert_eq!(of.len(), 2);
        assert_eq!(lacks(&both[1..], &supply(1_000, 0)), []);
        let mut untold = supply(1_000, 0);
        untold.grounds.get_mut("subnet-a").unwrap().free = None;
        assert_eq!(lacks(&both, &untold), []);
    }

    #[test]
    fn what_was_not_answered_is_not_called_lacking() {
        let pools = [pool("x", &["g5.xlarge"], 900, 900)];
        assert_eq!(lacks(&pools, &Supply::default()), []);
        assert_eq!(
            lacks(&pools, &Supply { quotas: BTreeMap::new(), grounds: BTreeMap::new(), ..supply(0, 0) }),
            []
        );
    }
}
