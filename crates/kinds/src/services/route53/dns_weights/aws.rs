//! The driver of the DNS weights kind, and the gate between two shares.

use std::time::Duration;

use aws_sdk_route53::types::HealthCheckObservation;
use drstack_core::cloud::{Call, CloudError};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::{DnsWeights, DnsWeightsLive, DnsWeightsSpec, Gate};
use crate::aws::{Looked, Seen, SettingDriver, Target, each, setting};
use crate::services::checks::probe;
use crate::services::route53::dns_record::{share, weigh};

/// Operation name of a ramp in errors.
const RAMP: &str = "ramp";
/// Number of requests to the primary while a share is held: enough for a rate.
const ASKED: u32 = 20;
/// Number of requests that may fail: 95 % must succeed.
const FAIL: u32 = 1;
/// Maximum time of one answer: far longer than users wait.
const ANSWER: Duration = Duration::from_secs(10);
/// Percentage of Route 53's checkers that must report success: more than 18 (developer guide, how
/// Route 53 determines whether a health check is healthy).
const CHECKERS: usize = 18;

impl SettingDriver for DnsWeights {
    async fn read(at: &Target<'_>, ids: &[String]) -> Looked<DnsWeightsLive> {
        each(ids, |id| async move { look(at, &id).await }).await
    }

    /// Reads the pair, which was created with its initial share.
    async fn create(
        at: &Target<'_>,
        _: &Call,
        spec: &DnsWeightsSpec,
    ) -> Result<Seen<DnsWeightsLive>, CloudError> {
        look(at, spec.pair.text()).await?.ok_or_else(|| no_pair(spec))
    }

    /// Moves to the next share. A side gains only after the current share held for a while.
    async fn update(at: &Target<'_>, _: &Call, id: &str, spec: &DnsWeightsSpec) -> Result<(), CloudError> {
        let stands = share(at, id).await?.ok_or_else(|| no_pair(spec))?;
        let next = spec.next(stands);
        let Some(gate) = spec.gate(stands, next) else { return weigh(at, id, next).await };
        let side = Side::of(spec, gate);
        hold(at, id, gate, &side, stands).await?;
        weigh(at, id, next).await?;
        if next == spec.share { hold(at, id, gate, &side, next).await } else { Ok(()) }
    }
}

fn no_pair(spec: &DnsWeightsSpec) -> CloudError {
    let message = format!("`{}` is not answered by weight", spec.pair.text());
    CloudError::Conflict { operation: RAMP.to_owned(), message }
}

async fn look(at: &Target<'_>, id: &str) -> Result<Option<Seen<DnsWeightsLive>>, CloudError> {
    let share = share(at, id).await?;
    let live = |primary| DnsWeightsLive { pair: id.to_owned(), primary };
    Ok(share.map(|it| setting(id.to_owned(), live(it))))
}

/// The side that gains.
enum Side {
    Primary,
    Standby,
}

impl Side {
    fn of(spec: &DnsWeightsSpec, gate: &Gate) -> Self {
        if gate.raises(spec.share) { Self::Primary } else { Self::Standby }
    }
}

/// Holds a share of the primary, and restores the earlier share if the side that gains answers
/// badly.
async fn hold(at: &Target<'_>, id: &str, gate: &Gate, side: &Side, share: u32) -> Result<(), CloudError> {
    let Some(why) = answers_badly(at, gate).await? else { return Ok(()) };
    let back = gate.back;
    let (who, has, is_given) = match side {
        Side::Primary => ("the primary", share, share > back),
        Side::Standby => ("the standby region", 100 - share.min(100), share < back),
    };
    let at_host = format!("{who} does not answer well with a share of {has} %: {why}");
    // No share was given yet, so the engine waits.
    if !is_given {
        return Err(CloudError::Conflict { operation: RAMP.to_owned(), message: at_host });
    }
    weigh(at, id, back).await?;
    // The error is permanent: an operator has to look before another attempt.
    let (code, now) = match side {
        Side::Primary => ("PrimaryAnswersBadly", "the standby region serves alone again".to_owned()),
        Side::Standby => ("StandbyAnswersBadly", format!("the primary has its {back} % again")),
    };
    let message = format!("{at_host}; {now}");
    Err(CloudError::Invalid { operation: RAMP.to_owned(), code: code.to_owned(), message })
}

/// Probes the host for the gate's time, and returns the problem, if any.
async fn answers_badly(at: &Target<'_>, gate: &Gate) -> Result<Option<String>, CloudError> {
    let time = Duration::from_secs(gate.seconds.into());
    let (mut turns, begin) = (interval(time / ASKED), Instant::now());
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut asked, mut failed) = (0, 0);
    while asked < ASKED {
        turns.tick().await;
        asked += 1;
        let answer = timeout(ANSWER, probe::answer(&gate.url, &gate.host)).await;
        let wrong = match answer {
            Ok(answer) => answer.err().map(|error| error.to_string()),
            Err(_) => Some(format!("`{}` took longer than {} s", gate.host, ANSWER.as_secs())),
        };
        let Some(wrong) = wrong else { continue };
        failed += 1;
        if failed > FAIL {
            return Ok(Some(format!("{failed} of {asked} probes failed, the last with {wrong}")));
        }
    }
    tokio::time::sleep_until(begin + time).await;
    let Some(check) = &gate.check else { return Ok(None) };
    let check = at.route53().get_health_check_status().health_check_id(check.text()).send().await;
    let check = check.map_err(|error| at.failed("route53:GetHealthCheckStatus", error))?;
    let all = &check.health_check_observations;
    let well = all.iter().filter(|it| is_well(it)).count();
    let says = || format!("{well} of {} checkers of Route 53 reach it", all.len());
    Ok((100 * well <= CHECKERS * all.len()).then(says))
}

/// True if the status reports success: it is a sentence that then begins with this word.
fn is_well(observed: &HealthCheckObservation) -> bool {
    let status = observed.status_report().and_then(|it| it.status());
    status.is_some_and(|it| it.starts_with("Success"))
}
