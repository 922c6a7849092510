//! Both sides of data that is kept in both regions.

use std::borrow::Cow;

use std::fmt::Write;

use drstack_core::address::Address;
use drstack_core::cloud::CloudError;
use drstack_core::sides::{Copied, Reported, Sides};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::text::{count, duration};

/// One bucket or table: how its two sides compare, or the error of the comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Data {
    /// The component that keeps it in both regions.
    pub address: String,
    /// The primary's bucket or table.
    pub name: String,
    /// `object` or `item`.
    #[schemars(extend("enum" = ["object", "item"]))]
    pub unit: Cow<'static, str>,
    /// The criterion by which two copies count as the same.
    #[serde(skip)]
    pub means: &'static str,
    /// The comparison; null if it failed, which is not zero.
    pub sides: Option<Sides>,
    /// The error of a failed comparison; null if it did not fail.
    pub error: Option<String>,
}

impl Data {
    pub(crate) fn new(address: &Address, copied: &Copied, looked: Result<Sides, CloudError>) -> Self {
        let (address, name) = (address.component().to_string(), copied.name.clone());
        let (unit, means) = (Cow::Borrowed(copied.unit), copied.means);
        let (sides, error) = match looked {
            Ok(sides) => (Some(sides), None),
            Err(error) => (None, Some(error.to_string())),
        };
        Self { address, name, unit, means, sides, error }
    }

    /// True if there is too much data to compare, and the service does not report its backlog.
    pub fn is_untold(&self) -> bool {
        let counts = |it: &Sides| it.is_whole || it.reported.is_some_and(|it| it.waiting.is_some());
        self.sides.as_ref().is_some_and(|it| !counts(it))
    }

    /// True if the backlog is empty: [`Sides::is_drained`].
    pub fn is_drained(&self, since: Timestamp) -> bool {
        self.sides.as_ref().is_some_and(|it| it.is_drained(since))
    }

    /// Describes the backlog of replication.
    pub fn backlog(&self, now: Timestamp) -> String {
        let Self { address, unit, .. } = self;
        let Some(sides) = &self.sides else { return self.unseen() };
        match sides.waiting {
            0 if !sides.is_whole => {
                let untold = if self.is_untold() { "cannot be told: " } else { "" };
                format!("{address}: {untold}{}{}", self.limit(sides), reported(sides))
            }
            0 => {
                let compared = self.number(sides.compared);
                format!("{address}: nothing to arrive ({compared} compared){}", reported(sides))
            }
            waiting => {
                let least = if sides.is_whole { "" } else { "at least " };
                let age = sides.oldest.map_or_else(String::new, |it| {
                    format!(", the oldest written {} ago", duration(now.duration_since(it).unsigned_abs()))
                });
                let names = match sides.examples.as_slice() {
                    [] => String::new(),
                    names => format!(" (`{}`)", names.join("`, `")),
                };
                let plural = if waiting == 1 { "" } else { "s" };
                let reported = reported(sides);
                format!("{address}: {least}{waiting} {unit}{plural} to arrive{age}{names}{reported}")
            }
        }
    }

    /// Describes the differences between the two sides.
    pub fn divergence(&self, primary: &str, standby: &str) -> String {
        let Self { address, .. } = self;
        let Some(sides) = &self.sides else { return self.unseen() };
        let Sides { primary_only, standby_only, differ, waiting, .. } = sides;
        let mut out = format!("{address}: ");
        if !sides.is_whole && sides.compared == 0 {
            return out + "cannot be told: " + &self.limit(sides);
        }
        if primary_only + standby_only + differ == 0 {
            let _ = write!(out, "the same on both sides ({} compared)", self.number(sides.compared));
        } else {
            let _ = write!(
                out,
                "{} only in {standby}, {primary_only} only in {primary}, {differ} on both sides and not the same ({} compared)",
                self.number(*standby_only),
                self.number(sides.compared)
            );
        }
        if let Some(changed) = sides.changed {
            let _ = write!(
                out,
                "; written since the failover: {} in {standby}, {} in {primary}",
                changed.standby, changed.primary
            );
        }
        if *waiting > 0 {
            let _ = write!(out, "; replication has {} to bring", self.number(*waiting));
        }
        if let [_, ..] = sides.examples.as_slice() {
            let _ = write!(out, "; such as `{}`", sides.examples.join("`, `"));
        }
        if !sides.is_whole {
            let _ = write!(out, "; {}", self.limit(sides));
        }
        out
    }

    fn unseen(&self) -> String {
        format!("{}: could not look: {}", self.address, self.error.as_deref().unwrap_or_default())
    }

    fn limit(&self, sides: &Sides) -> String {
        match sides.compared {
            0 => format!("`{}` has more {}s than are compared", self.name, self.unit),
            _ => format!("`{}` has more, which was not looked at", self.name),
        }
    }

    fn number(&self, number: u64) -> String {
        count(usize::try_from(number).unwrap_or(usize::MAX), &self.unit)
    }
}

/// Returns what the service itself reports about its replication.
fn reported(sides: &Sides) -> String {
    let Some(Reported { at, waiting, latency }) = sides.reported else { return String::new() };
    let count = |it: u64| count(usize::try_from(it).unwrap_or(usize::MAX), "operation");
    let waiting = waiting.map(|it| format!("{} waiting", count(it)));
    let latency = latency.map(|it| format!("at most {it:.1} s behind"));
    let said: Vec<String> = [waiting, latency].into_iter().flatten().collect();
    format!("; CloudWatch says {} at {at:.0}", said.join(" and "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(sides: Sides) -> Data {
        let (address, name) = ("bucket.models".to_owned(), "acme-models".to_owned());
        Data { address, name, unit: "object".into(), means: "", sides: Some(sides), error: None }
    }

    #[test]
    fn a_backlog_says_how_much_how_old_and_what_a_zero_stands_for() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut sides =
            Sides { waiting: 2, oldest: Some(at(100)), compared: 10, is_whole: true, ..Sides::default() };
        sides.examples = vec!["a".to_owned()];
        let said = |sides: &Sides| data(sides.clone()).backlog(at(350));
        assert_eq!(said(&sides), "bucket.models: 2 objects to arrive, the oldest written 4m 10s ago (`a`)");
        sides.is_whole = false;
        assert!(said(&sides).starts_with("bucket.models: at least 2 objects"));
        sides.waiting = 0;
        assert_eq!(
            said(&sides),
            "bucket.models: cannot be told: `acme-models` has more, which was not looked at"
        );
        sides.is_whole = true;
        assert_eq!(said(&sides), "bucket.models: nothing to arrive (10 objects compared)");
        let unseen = Data { sides: None, error: Some("down".to_owned()), ..data(sides) };
        assert_eq!(unseen.backlog(at(0)), "bucket.models: could not look: down");
        assert!(!unseen.is_drained(at(0)) && !unseen.is_untold());
    }
}
