//! Says how much data a failover would lose now, by comparing both sides of what is replicated.

use std::collections::BTreeSet;
use std::time::Duration;

use drstack_core::address::ComponentAddress;
use jiff::{SignedDuration, Timestamp};

use crate::failure::Failure;
use crate::ops::drain;
use crate::planned::PlanOutcome;
use crate::readiness::{Check, Finding, Weight};
use crate::report::data::Data;
use crate::session::Session;
use crate::text::{count, duration};

/// Age from which on an object that waits is not on its way: S3 promises 15 minutes for its time control (S3 User Guide,
/// "Meeting compliance requirements using S3 Replication Time Control").
const ARRIVES: SignedDuration = SignedDuration::from_mins(15);

/// How often data without write times is compared before what waits is taken for more than what is being written.
const LOOKS: usize = 3;

/// Pause between two comparisons: a global table is usually in step within seconds.
const PAUSE: Duration = Duration::from_secs(10);

impl Session {
    /// Compares both sides of all data that `planned` replicates; `again` is the command that compares again.
    pub(super) async fn of_data(
        &self,
        planned: &PlanOutcome,
        again: Option<&String>,
    ) -> Result<(Vec<Finding>, Vec<Data>), Failure> {
        // A copy that is not there yet is a finding of its own.
        let (mut all, _) = drain::sides(self, planned, None).await?;
        for _ in 1..LOOKS {
            let moving = all.iter().filter(|it| is_moving(it));
            let moving: BTreeSet<ComponentAddress> =
                moving.map(|it| ComponentAddress::new(&it.address)).collect();
            if moving.is_empty() {
                break;
            }
            self.app.host.rest(PAUSE).await;
            for later in drain::again(self, planned, &moving).await? {
                let is_it = |it: &&mut Data| (&it.address, &it.name) == (&later.address, &later.name);
                if let Some(it) = all.iter_mut().find(is_it).filter(|it| is_moving(it)) {
                    *it = later;
                }
            }
        }
        let now = self.now();
        let findings = all.iter().filter_map(|it| self.would_lose(it, now, again)).collect();
        Ok((findings, all))
    }

    /// Says what a failover would lose of `data`.
    fn would_lose(&self, data: &Data, now: Timestamp, again: Option<&String>) -> Option<Finding> {
        let finding = |weight, text| Finding {
            weight,
            check: Check::Data,
            address: data.address.clone(),
            text,
            next: again.cloned().filter(|_| weight == Weight::Unknown),
        };
        let Some(sides) = &data.sides else {
            let error = data.error.as_deref().unwrap_or_default();
            return Some(finding(Weight::Unknown, format!("could not compare both sides: {error}")));
        };
        if data.is_untold() && sides.waiting == 0 {
            let text = format!("`{}` has more {}s than are compared", data.name, data.unit);
            return Some(finding(Weight::Unknown, text));
        }
        let reported = sides.reported.and_then(|it| it.waiting).filter(|_| !sides.is_whole).unwrap_or(0);
        let waiting = sides.waiting.max(reported);
        if waiting == 0 {
            return None;
        }
        let what = count(usize::try_from(waiting).unwrap_or(usize::MAX), &data.unit);
        let Some(age) = sides.oldest.map(|it| now.duration_since(it)) else {
            let text =
                format!("{what} not in step: being written, or older than the copy and never replicated");
            return Some(finding(Weight::Unknown, text));
        };
        let written = duration(age.unsigned_abs());
        let rpo = self.rpo(&data.address);
        Some(match rpo.filter(|rpo| age > *rpo) {
            _ if age > ARRIVES => finding(
                Weight::NotReady,
                format!(
                    "{what} missing, the oldest written {written} ago: what is older than the replication rule, or failed, \
                     never arrives by itself; S3 Batch Replication brings it over"
                ),
            ),
            Some(rpo) => {
                let rpo = duration(rpo.unsigned_abs());
                finding(
                    Weight::NotReady,
                    format!("{what} missing, the oldest written {written} ago; the RPO is {rpo}"),
                )
            }
            None => finding(Weight::Note, format!("{what} on the way, the oldest written {written} ago")),
        })
    }

    /// Returns the RPO of a component.
    fn rpo(&self, component: &str) -> Option<SignedDuration> {
        self.stack.components.get(&ComponentAddress::new(component))?.objective.rpo
    }
}

/// True if something waits of which nobody knows since when.
fn is_moving(data: &Data) -> bool {
    data.sides.as_ref().is_some_and(|it| it.waiting > 0 && it.oldest.is_none())
}
