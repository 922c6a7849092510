//! The gate: what happens to a call before its effect, and between effect and answer.

use std::time::Duration;

use drstack_core::calls::RefusedCall;
use drstack_core::cloud::CloudError;
use drstack_core::kind::{Action, Place};

use crate::calls::CallRecord;
use crate::config::{SimConfig, duration, millis};
use crate::dice;
use crate::operation::{Failure, Operation};
use crate::sim::Sim;
use crate::state::State;

/// Attempts of a throttled call before it fails. With a third of all calls throttled, one call in a
/// hundred thousand fails.
pub const ATTEMPTS: u32 = 10;
/// Longest wait before the second attempt; it doubles for each further one, up to [`BACKOFF_MOST`].
///
/// The actual wait is a random share of it, as in AWS's clients: calls that are refused together
/// would otherwise return together, and be refused again.
const BACKOFF: Duration = Duration::from_millis(200);
const BACKOFF_MOST: Duration = Duration::from_secs(20);

/// Retry interval of a change that goes astray by refusals.
const COMES_BACK: Duration = Duration::from_secs(2);

/// Name of the call that reads an object of the control bucket.
pub(crate) const GET: &str = "get";

/// A call that requests admission.
pub(crate) struct Asked<'a> {
    pub(crate) operation: Operation,
    pub(crate) kind: &'a str,
    pub(crate) place: Place,
    pub(crate) region: &'a str,
    pub(crate) subject: &'a str,
}

/// An admitted call, and what goes wrong after its effect.
#[derive(Debug, Default)]
pub(crate) struct Pass {
    /// True if the answer is lost.
    answer_lost: bool,
    /// True if the program dies before the answer.
    dies: bool,
    /// True if every other answer of a bulk read is missing.
    pub(crate) partial: bool,
    /// True if half of a stored object is missing.
    pub(crate) garbled: bool,
    /// Delay until it takes effect, even if its caller is gone by then.
    pub(crate) late: Option<Duration>,
}

/// Decisions about one attempt.
struct Verdict {
    latency: Duration,
    down: bool,
    dies: bool,
    dies_after: bool,
    failure: Option<Failure>,
    /// Share of the longest wait before a throttled call is retried.
    patience: f64,
}

impl Asked<'_> {
    /// Returns its name in errors: `vpc:create`.
    pub(crate) fn name(&self) -> String {
        format!("{}:{}", self.kind, self.operation)
    }

    fn unreachable(&self, message: &str) -> CloudError {
        CloudError::Unreachable {
            operation: self.name(),
            region: self.region.to_owned(),
            message: message.to_owned(),
        }
    }

    fn failed(&self, failure: Failure) -> CloudError {
        let operation = self.name();
        let message = format!("simulated, for {}", self.subject);
        match failure {
            Failure::Throttled => CloudError::Throttled { operation },
            Failure::Denied => CloudError::Denied { operation, message },
            Failure::Expired => CloudError::Expired { operation, message },
            Failure::Untrusted => {
                let region = self.region.to_owned();
                CloudError::Untrusted { operation, region, message }
            }
            Failure::NoCapacity => CloudError::NoCapacity { operation, message },
            Failure::Quota => CloudError::Quota { operation, message },
            Failure::TimeoutAfterEffect => self.unreachable("no answer"),
            Failure::Internal | Failure::Partial | Failure::Garbled => {
                CloudError::Other { operation, message }
            }
        }
    }
}

impl Sim {
    /// Admits a call: with a delay, after some attempts, or not at all.
    pub(crate) async fn admit(&self, asked: &Asked<'_>) -> Result<Pass, CloudError> {
        self.expect_allowed(asked)?;
        let change = self.own_seat().begins(asked.operation);
        // A client that is asked to come back later does so until it is stopped.
        while change.is_some_and(|change| change.is_refused()) {
            let now = self.state().now();
            self.own_seat().sends(asked.name(), now)?;
            tokio::time::sleep(COMES_BACK).await;
        }
        let mut backoff = BACKOFF;
        for attempt in 1..=ATTEMPTS {
            if change.is_some() {
                let now = self.state().now();
                self.own_seat().sends(asked.name(), now)?;
            }
            let verdict = self.state().decide(self.config(), asked, attempt);
            if verdict.dies {
                self.die().await;
            }
            tokio::time::sleep(verdict.latency).await;
            if verdict.down {
                tokio::time::sleep(duration(self.config().timeout)).await;
                return Err(asked.unreachable("connection timed out"));
            }
            let bulk = asked.operation == Operation::Read;
            match verdict.failure {
                None => {
                    let late = change.and_then(|change| change.late());
                    return Ok(Pass { dies: verdict.dies_after, late, ..Pass::default() });
                }
                Some(Failure::TimeoutAfterEffect) => {
                    return Ok(Pass { answer_lost: true, dies: verdict.dies_after, ..Pass::default() });
                }
                Some(Failure::Partial) if bulk => {
                    return Ok(Pass { partial: true, dies: verdict.dies_after, ..Pass::default() });
                }
                Some(Failure::Garbled) if asked.kind == GET => {
                    return Ok(Pass { garbled: true, dies: verdict.dies_after, ..Pass::default() });
                }
                Some(Failure::Throttled) => {
                    tokio::time::sleep(backoff.mul_f64(verdict.patience)).await;
                    backoff = (backoff * 2).min(BACKOFF_MOST);
                }
                Some(failure) => return Err(asked.failed(failure)),
            }
        }
        Err(asked.failed(Failure::Throttled))
    }

    /// Refuses calls that leave the standby region once the cloud is restricted to it; none of them
    /// is sent.
    fn expect_allowed(&self, asked: &Asked<'_>) -> Result<(), CloudError> {
        let is_global = asked.place != Place::Standby || self.calls_a_global_plane(asked);
        let mut state = self.state();
        if !state.alone || !is_global {
            return Ok(());
        }
        let refused = RefusedCall {
            service: asked.kind.to_owned(),
            operation: asked.operation.to_string(),
            region: asked.region.to_owned(),
        };
        let error = refused.error();
        state.refused.push(refused);
        Err(error)
    }

    /// True if such a change goes to a control plane of the whole partition, as its kind declares.
    ///
    /// The planner judges a failover plan by the same rule.
    fn calls_a_global_plane(&self, asked: &Asked<'_>) -> bool {
        let action = match asked.operation {
            Operation::Create => Action::Create,
            Operation::Update => Action::Update,
            Operation::Delete => Action::Delete,
            _ => return false,
        };
        let kind = self.kinds().get(asked.kind);
        kind.is_some_and(|kind| kind.operations_of(action).iter().any(|it| it.home().is_some()))
    }

    /// Returns the answer, unless it is lost.
    pub(crate) async fn release(&self, pass: &Pass, asked: &Asked<'_>) -> Result<(), CloudError> {
        if pass.dies {
            self.die().await;
        }
        if pass.answer_lost {
            tokio::time::sleep(duration(self.config().timeout)).await;
            return Err(asked.failed(Failure::TimeoutAfterEffect));
        }
        Ok(())
    }
}

impl State {
    fn decide(&mut self, config: &SimConfig, asked: &Asked<'_>, attempt: u32) -> Verdict {
        let at = self.now();
        let number = self.calls.len() as u64 + 1;
        let same = format!("{} {} {}", asked.name(), asked.region, asked.subject);
        let repeat = self.repeats.entry(same.clone()).or_insert(0);
        *repeat += 1;
        let drawn = format!("{same} {} {repeat}", self.world.runs);
        self.stopped |= config.kill_at.is_some_and(|at| number >= at);
        let over_rate = self.is_over_rate(config, asked.region);
        let chosen = self.choose(config, asked, &drawn);
        let throttled = over_rate || dice::roll(config.seed, &["throttle", &drawn]) < config.throttle;
        let failure = chosen.or(throttled.then_some(Failure::Throttled));
        if failure == Some(Failure::Throttled) {
            let by = (asked.kind.to_owned(), asked.region.to_owned());
            *self.throttled.entry(by).or_insert(0) += 1;
        }
        let (latency, down) = (latency(config, &drawn), self.down.contains(asked.region));
        let lost = down || failure == Some(Failure::TimeoutAfterEffect);
        let timeout = if lost { duration(config.timeout) } else { Duration::ZERO };
        self.calls.push(CallRecord {
            number,
            operation: asked.operation,
            kind: asked.kind.to_owned(),
            place: asked.place,
            region: asked.region.to_owned(),
            subject: asked.subject.to_owned(),
            at,
            millis: u64::try_from((latency + timeout).as_millis()).unwrap_or(u64::MAX),
            attempt,
            failure,
            lost,
        });
        let patience = dice::roll(config.seed, &["patience", &drawn]);
        let dies_after = config.kill_after == Some(number);
        Verdict { latency, down, dies: self.stopped, dies_after, failure, patience }
    }

    /// Chooses the first fault that matches this call.
    fn choose(&mut self, config: &SimConfig, asked: &Asked<'_>, drawn: &str) -> Option<Failure> {
        let mut chosen = None;
        for (number, fault) in config.faults.iter().enumerate() {
            let matches = fault.kind.as_deref().is_none_or(|kind| kind == asked.kind)
                && fault.operation.is_none_or(|operation| operation == asked.operation)
                && fault.region.as_deref().is_none_or(|region| region == asked.region)
                && fault.subject.as_deref().is_none_or(|part| asked.subject.contains(part));
            if !matches {
                continue;
            }
            // Count it even if another fault takes the call, so that faults do not shift each
            // other.
            self.matched[number] += 1;
            let due = fault.at.is_none_or(|at| at == self.matched[number]);
            let share = fault.share.unwrap_or(1.0);
            if due && dice::roll(config.seed, &["fault", &number.to_string(), drawn]) < share {
                chosen = chosen.or(Some(fault.error));
            }
        }
        chosen
    }

    /// Takes one call from the region's allowance, which saves up at most one second.
    fn is_over_rate(&mut self, config: &SimConfig, region: &str) -> bool {
        let Some(rate) = config.rate.map(f64::from) else { return false };
        let age = self.world.age;
        let (left, since) = self.allowance.entry(region.to_owned()).or_insert((rate, age));
        *left = (*left + (age - *since) as f64 / 1000.0 * rate).min(rate);
        *since = age;
        let over = *left < 1.0;
        if !over {
            *left -= 1.0;
        }
        over
    }
}

/// Returns `latency` plus or minus `jitter`.
fn latency(config: &SimConfig, drawn: &str) -> Duration {
    let jitter = millis(config.jitter);
    let spread = dice::roll(config.seed, &["latency", drawn]) * (2 * jitter + 1) as f64;
    Duration::from_millis((millis(config.latency) + spread as u64).saturating_sub(jitter))
}
