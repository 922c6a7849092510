//! Minimum capacity that an operator accepts in one failover, below the minimum of the stack.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::address::ComponentAddress;

/// Key that means every pool, instead of an address.
const ALL: &str = "all";

/// The least capacity with which a pool counts as up, written `40%` or `16`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Minimum {
    /// Per cent of the pool's capacity, 1 to 100.
    Share(u32),
    /// Usual instances, at least one.
    Instances(u32),
}

/// Parse error of a [`Minimum`]: shows how to write one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write a share from 1% to 100%, or a number of instances from 1: `40%`, `16`")]
pub struct NoMinimum;

impl Minimum {
    /// Returns the highest minimum that `in_service` instances of `wanted` meet; `None` if none
    /// serves.
    pub fn met_by(in_service: u32, wanted: u32) -> Option<Self> {
        let per_cent = u64::from(in_service) * 100 / u64::from(wanted.max(1));
        match u32::try_from(per_cent.min(100)).unwrap_or(100) {
            _ if in_service == 0 => None,
            0 => Some(Self::Instances(in_service)),
            share => Some(Self::Share(share)),
        }
    }

    /// Returns how many usual instances of `capacity` must serve: rounded up, and at least one.
    pub fn of(self, capacity: u32) -> u32 {
        let instances = match self {
            Self::Share(share) => (u64::from(capacity) * u64::from(share)).div_ceil(100),
            Self::Instances(instances) => u64::from(instances),
        };
        u32::try_from(instances).unwrap_or(capacity).max(1)
    }
}

impl FromStr for Minimum {
    type Err = NoMinimum;

    fn from_str(text: &str) -> Result<Self, NoMinimum> {
        let number = |text: &str| text.parse::<u32>().ok().filter(|it| *it > 0).ok_or(NoMinimum);
        match text.strip_suffix('%') {
            Some(share) => {
                number(share).and_then(|it| (it <= 100).then_some(Self::Share(it)).ok_or(NoMinimum))
            }
            None => number(text).map(Self::Instances),
        }
    }
}

impl TryFrom<String> for Minimum {
    type Error = NoMinimum;

    fn try_from(text: String) -> Result<Self, NoMinimum> {
        text.parse()
    }
}

impl From<Minimum> for String {
    fn from(minimum: Minimum) -> Self {
        minimum.to_string()
    }
}

impl fmt::Display for Minimum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Share(share) => write!(f, "{share}%"),
            Self::Instances(instances) => write!(f, "{instances}"),
        }
    }
}

/// The minimums that an operator accepted, by pool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Minimums(BTreeMap<String, Minimum>);

impl Minimums {
    /// True if nothing was accepted, so the minimums of the stack hold.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Accepts `minimum` for one pool, or for every pool, which replaces everything accepted
    /// before.
    pub fn accept(&mut self, pool: Option<&str>, minimum: Minimum) {
        if pool.is_none() {
            self.0.clear();
        }
        self.0.insert(pool.unwrap_or(ALL).to_owned(), minimum);
    }

    /// Accepts the minimums of `newer`, which override earlier ones.
    pub fn accept_all(&mut self, newer: &Self) {
        if newer.0.contains_key(ALL) {
            self.0.clear();
        }
        self.0.extend(newer.0.iter().map(|(pool, minimum)| (pool.clone(), *minimum)));
    }

    /// Returns the minimum accepted for the pool at `address`.
    pub fn of(&self, address: &ComponentAddress) -> Option<Minimum> {
        let own = self.0.iter().find(|(pool, _)| address.is_within(pool));
        own.map(|(_, minimum)| *minimum).or_else(|| self.0.get(ALL).copied())
    }

    /// Returns the pools with a minimum of their own.
    pub fn pools(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str).filter(|it| *it != ALL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minimum_is_a_share_or_a_number_and_never_nothing() {
        let read = |text: &str| text.parse::<Minimum>().ok();
        assert_eq!(
            ["40%", "100%", "16"].map(read),
            [Some(Minimum::Share(40)), Some(Minimum::Share(100)), Some(Minimum::Instances(16)),]
        );
        assert_eq!(["0%", "101%", "0", "-1", "40 %", "%", "", "a"].map(read), [None; 8]);
        assert_eq!([Minimum::Share(40), Minimum::Instances(16)].map(|it| it.to_string()), ["40%", "16"]);
        assert_eq!([Minimum::Share(1), Minimum::Share(52)].map(|it| it.of(40)), [1, 21]);
        assert_eq!([(Minimum::Share(1), 0), (Minimum::Instances(7), 3)].map(|(it, of)| it.of(of)), [1, 7]);
    }

    #[test]
    fn the_minimum_that_is_proposed_is_met_by_what_serves() {
        for wanted in 1..=400_u32 {
            for in_service in 1..=wanted {
                let minimum = Minimum::met_by(in_service, wanted).unwrap();
                assert!(minimum.of(wanted) <= in_service, "{minimum} of {wanted}: {in_service}");
            }
        }
        assert_eq!(Minimum::met_by(0, 40), None);
        assert_eq!(Minimum::met_by(21, 40), Some(Minimum::Share(52)));
        assert_eq!(Minimum::met_by(1, 400), Some(Minimum::Instances(1)));
    }

    #[test]
    fn a_pools_own_minimum_goes_before_that_of_all_until_all_is_accepted_anew() {
        let (all, one) = (Minimum::Share(40), Minimum::Instances(2));
        let address = ComponentAddress::new;
        let mut accepted = Minimums::default();
        accepted.accept(None, all);
        accepted.accept(Some("pool.a"), one);
        assert_eq!(
            ["pool.a", "pool.a[\"x\"]", "pool.ab"].map(|it| accepted.of(&address(it))),
            [Some(one), Some(one), Some(all)]
        );
        let text = serde_json::to_string(&accepted).unwrap();
        assert_eq!(text, "{\"all\":\"40%\",\"pool.a\":\"2\"}");
        assert_eq!(serde_json::from_str::<Minimums>(&text).unwrap(), accepted);
        let mut newer = Minimums::default();
        newer.accept(None, Minimum::Share(10));
        accepted.accept_all(&newer);
        assert_eq!(accepted, newer);
        assert!(serde_json::from_str::<Minimums>("{\"all\":\"0%\"}").is_err());
    }
}
