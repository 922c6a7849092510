//! Execution of one step: its call, its retries, and the wait until it is ready.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{Instant, sleep, sleep_until};

use super::event::StepError;
use super::launches::Budget;
use super::pace::Line;
use super::wait::Pauses;
use crate::cloud::{Call, Cloud, CloudError, Found, Scope};
use crate::control::lease::Permit;
use crate::kind::{Action, DynKind, FieldChange, Limit, Readiness, Rung, Shortage, Wait};
use crate::link::has_links;
use crate::plan::{Step, StepId};

#[cfg(test)]
mod tests;

/// What a step that runs waits for.
pub(super) struct Note {
    pub(super) waiting_for: String,
    /// What a check's command wrote.
    pub(super) output: Option<String>,
}

/// A step with everything that it needs to run.
pub(super) struct Job {
    pub(super) id: StepId,
    pub(super) step: Step,
    /// Spec with the links resolved.
    pub(super) spec: Value,
    pub(super) kind: &'static dyn DynKind,
    pub(super) scope: Scope,
    pub(super) notes: UnboundedSender<(StepId, Note)>,
    pub(super) permit: Permit,
    /// Earliest start of the delete half of a replacement.
    ///
    /// It waits until the new resource is visible to eventually consistent reads; otherwise a
    /// concurrent run would see neither and create a third.
    pub(super) not_before: Option<Instant>,
    /// Queue that paces the start of the step.
    pub(super) line: Arc<Line>,
    /// Budget that its launches are taken from.
    pub(super) budget: Arc<Budget>,
    /// Retry whatever may pass by itself, failed reads too: a failover must go forward.
    pub(super) retry_transient: bool,
}

/// Output of a step; empty after a deletion.
#[derive(Debug, Default)]
pub(super) struct StepOutput {
    pub(super) id: String,
    pub(super) outputs: BTreeMap<String, String>,
    /// Last observed state, for kinds that hold data or run instances.
    pub(super) found: Option<Found>,
    /// Rungs of the ladder that the step fell back to, with reasons.
    pub(super) climbed: Vec<String>,
}

/// Remaining rungs.
type Ladder = std::vec::IntoIter<Rung<Value>>;

/// Desired state of a step, and its remaining fallbacks.
struct Goal {
    spec: Value,
    ladder: Ladder,
    climbed: Vec<String>,
    /// Number of updates that may follow.
    rounds: usize,
    /// True if the resource was just created.
    creation: bool,
}

/// Result of waiting until ready.
enum WaitResult {
    Ready(Found),
    Short(Found, Shortage),
    /// Not ready within its kind's deadline, and why.
    Late(Found, StepError),
}

/// What became of a creation that failed.
pub(super) enum Meanwhile {
    /// It had its effect.
    Made(Found),
    /// It was not answered and had no effect, so it may be repeated.
    NotMade,
    /// What the error says holds.
    AsSaid,
}

/// A step that ended.
pub(super) struct Ended {
    pub(super) step: StepId,
    pub(super) result: Result<StepOutput, StepError>,
    /// True if a creation failed and nothing of it was found.
    pub(super) without_trace: bool,
}

impl Job {
    pub(super) async fn run(self, cloud: &dyn Cloud) -> Ended {
        let mut call = Call {
            scope: self.scope.clone(),
            place: self.step.place,
            address: self.step.address.clone(),
            name: self.step.id.clone(),
            token: self.step.token.clone(),
        };
        if self.step.action != Action::Create {
            call.name = None;
        }
        if let Err(error) = self.until_due(cloud).await {
            return Ended { step: self.id, result: Err(error), without_trace: true };
        }
        let result = match (self.step.action, &self.step.id) {
            (Action::Create, _) => self.create(cloud, &call).await,
            (Action::Update, Some(id)) => self.update(cloud, &call, id).await,
            (Action::Delete, Some(id)) => self.delete(cloud, &call, id).await,
            (_, None) => Err(StepError::Internal { message: "a change of nothing".to_owned() }),
        };
        let without_trace = match &result {
            Ok(_) => false,
            Err(error) => self.left_nothing(cloud, error).await,
        };
        Ended { step: self.id, result, without_trace }
    }

    /// True if a failed creation certainly left nothing.
    ///
    /// A creation may consist of several calls, of which the first succeeded. Reads may lag behind
    /// what that left, and a call without an answer may still be on its way.
    async fn left_nothing(&self, cloud: &dyn Cloud, error: &StepError) -> bool {
        let (Action::Create, Some(name)) = (self.step.action, &self.step.id) else { return false };
        if matches!(error, StepError::Cloud { error: CloudError::Unreachable { .. } }) {
            return false;
        }
        // A resource that is created with its tags can be attributed at once, so the read need not
        // be late.
        let tells = self.kind.halfway(&self.spec, name).is_ok_and(|it| it.first().is_none_or(|it| it.tagged));
        let (begin, mut pauses) = (Instant::now(), Pauses::of(Wait::SETTLE));
        loop {
            let late = tells || begin.elapsed() > cloud.consistency();
            match self.look(cloud, std::slice::from_ref(name)).await {
                Ok(None) if late => return true,
                Ok(None) => {}
                Ok(Some(_)) | Err(_) => return false,
            }
            let Some(pause) = pauses.next() else { return false };
            sleep(pause).await;
        }
    }

    /// Creates the resource, and then applies the settings and tags that take calls of their own.
    async fn create(&self, cloud: &dyn Cloud, call: &Call) -> Result<StepOutput, StepError> {
        // What a check waits for is not AWS's to settle, so it may take as long as its kind allows.
        let mut pauses =
            Pauses::of(if self.kind.check().is_some() { self.kind.wait() } else { Wait::SETTLE });
        let mut ladder = self.ladder()?;
        let mut spec = self.spec.clone();
        let mut climbed = Vec::new();
        let part = self.first_part(&spec).await?;
        // The launch budget may have been waited for, so the lease may have expired.
        self.expect_permit(cloud, self.step.address.as_str())?;
        let found = loop {
            match cloud.create(self.kind.name(), call, &self.part_of(&spec, part)?).await {
                Ok(found) => break found,
                Err(error) => match shortage(&error).and_then(|why| Some((why, ladder.next()?))) {
                    Some((why, rung)) => spec = self.climb(rung, &why, &mut climbed),
                    None => match self.made_meanwhile(cloud, &spec, &error).await? {
                        Meanwhile::Made(found) => break found,
                        Meanwhile::NotMade => self.again(cloud, error, &mut pauses).await?,
                        Meanwhile::AsSaid => self.settle(cloud, error, &mut pauses).await?,
                    },
                },
            }
        };
        let rounds = self.kind.rounds();
        let mut pursuit = Goal { spec, ladder, climbed, rounds, creation: true };
        let found = match part {
            Some(_) => {
                let changes = self.differences(&pursuit.spec, &found)?;
                self.change(cloud, call, &found.id, Some(&found.live), &mut pursuit, &changes).await?
            }
            None => found,
        };
        self.pursue(cloud, call, found, pursuit).await
    }

    async fn update(&self, cloud: &dyn Cloud, call: &Call, id: &str) -> Result<StepOutput, StepError> {
        let (ladder, spec) = (self.ladder()?, self.spec.clone());
        let rounds = self.kind.rounds() - 1;
        let mut pursuit = Goal { spec, ladder, climbed: Vec::new(), rounds, creation: false };
        let found = match self.as_wanted_by_now(cloud, id).await? {
            Some(found) => found,
            // Nothing is to be changed: it is waited for.
            None if self.step.changes.is_empty() && self.kind.capacity().is_none() => {
                let ids = [id.to_owned()];
                self.look(cloud, &ids).await?.ok_or_else(|| StepError::NeverReady {
                    message: format!("`{id}` went away while it was waited for"),
                })?
            }
            None => self.change(cloud, call, id, None, &mut pursuit, &self.step.changes).await?,
        };
        self.pursue(cloud, call, found, pursuit).await
    }

    /// Returns the live resource if an update has nothing to change any more.
    ///
    /// The plan compared links that an earlier step has resolved since, perhaps to their old
    /// targets: an interrupted run may have done that step, and reads had not shown it yet.
    async fn as_wanted_by_now(&self, cloud: &dyn Cloud, id: &str) -> Result<Option<Found>, StepError> {
        let waited_for_links = !self.step.needs.is_empty() && has_links(&self.step.spec);
        // An update without a difference has another purpose, and no live value contains the
        // address.
        let beside = self.step.changes.is_empty() || self.step.changes.iter().any(FieldChange::is_of_address);
        if !waited_for_links || beside {
            return Ok(None);
        }
        let ids = [id.to_owned()];
        match self.look(cloud, &ids).await? {
            Some(found) if self.differences(&self.spec, &found)?.is_empty() => Ok(Some(found)),
            // An absent result may be a stale read: the update itself will report that.
            _ => Ok(None),
        }
    }

    /// Waits until `found` is ready, updates what does not match, and falls back along the ladder
    /// when the cloud has no more capacity.
    async fn pursue(
        &self,
        cloud: &dyn Cloud,
        call: &Call,
        mut found: Found,
        mut pursuit: Goal,
    ) -> Result<StepOutput, StepError> {
        loop {
            let changes = match self.until_ready(cloud, &pursuit.spec, found).await? {
                WaitResult::Ready(ready) => {
                    found = ready;
                    let changes = self.differences(&pursuit.spec, &found)?;
                    if changes.is_empty() || pursuit.rounds == 0 {
                        return self.left(&found, pursuit.climbed);
                    }
                    pursuit.rounds -= 1;
                    changes
                }
                WaitResult::Short(there, why) => {
                    let rung = pursuit.ladder.next().ok_or_else(|| self.no_more(&why))?;
                    pursuit.spec = self.climb(rung, &why, &mut pursuit.climbed);
                    found = there;
                    self.differences(&pursuit.spec, &found)?
                }
                WaitResult::Late(there, late) => {
                    let rung = self.content_with(&mut pursuit.ladder, &there)?.ok_or_else(|| late.clone())?;
                    let why = Shortage { limit: Limit::Capacity, message: late.to_string() };
                    pursuit.spec = self.climb(rung, &why, &mut pursuit.climbed);
                    found = there;
                    self.differences(&pursuit.spec, &found)?
                }
            };
            if let Some(change) = changes.iter().find(|change| change.replace && pursuit.creation) {
                let message =
                    format!("`{}` was made with another {}: {}", found.id, change.field, change.from);
                return Err(StepError::NeverReady { message });
            }
            // A rung may differ only in being content with what exists.
            if !changes.is_empty() {
                let Found { id, live, .. } = found;
                found = self.change(cloud, call, &id, Some(&live), &mut pursuit, &changes).await?;
            }
        }
    }

    /// Updates the resource once and returns its new state; `live` is its current state, if known.
    async fn change(
        &self,
        cloud: &dyn Cloud,
        call: &Call,
        id: &str,
        live: Option<&Value>,
        pursuit: &mut Goal,
        changes: &[FieldChange],
    ) -> Result<Found, StepError> {
        self.raise(cloud, call, id, &pursuit.spec, live).await?;
        self.expect_permit(cloud, id)?;
        let mut pauses = Pauses::of(Wait::SETTLE);
        let kind = self.kind.name();
        while let Err(error) = cloud.update(kind, call, id, &pursuit.spec, changes).await {
            match shortage(&error).and_then(|why| Some((why, pursuit.ladder.next()?))) {
                Some((why, rung)) => pursuit.spec = self.climb(rung, &why, &mut pursuit.climbed),
                None => self.settle(cloud, error, &mut pauses).await?,
            }
        }
        let ids = [id.to_owned()];
        let (begin, mut pauses) = (Instant::now(), Pauses::of(self.kind.wait()));
        loop {
            match self.look(cloud, &ids).await? {
                Some(found) => return Ok(found),
                // It may have just been created: reads may lag behind that.
                None if begin.elapsed() <= cloud.consistency() => {
                    self.pause(&mut pauses, format!("`{id}` is not to be seen")).await?;
                }
                None => {
                    let message = format!("`{id}` went away while it was changed");
                    return Err(StepError::NeverReady { message });
                }
            }
        }
    }

    fn ladder(&self) -> Result<Ladder, StepError> {
        let ladder = self.kind.capacity().map_or(Ok(Vec::new()), |it| it.ladder(&self.spec));
        Ok(ladder.map_err(|error| shape(&error))?.into_iter())
    }

    /// Returns the next rung that is satisfied by the current state: arriving late is no failure if
    /// less is enough.
    fn content_with(&self, ladder: &mut Ladder, there: &Found) -> Result<Option<Rung<Value>>, StepError> {
        for rung in ladder {
            if self.kind.ready(&rung.spec, &there.live).map_err(|error| shape(&error))? == Readiness::Ready {
                return Ok(Some(rung));
            }
        }
        Ok(None)
    }

    /// Falls back to `rung` and returns its spec; reports the shortage now and again at the end.
    fn climb(&self, rung: Rung<Value>, why: &Shortage, climbed: &mut Vec<String>) -> Value {
        let said = format!("{}: {}", rung.name, why.message);
        self.note(said.clone());
        climbed.push(said);
        rung.spec
    }

    fn no_more(&self, why: &Shortage) -> StepError {
        let (operation, message) = (self.kind.name().to_owned(), why.message.clone());
        match why.limit {
            Limit::Capacity => CloudError::NoCapacity { operation, message },
            Limit::Quota => CloudError::Quota { operation, message },
            Limit::Never => return StepError::NeverReady { message },
        }
        .into()
    }

    fn differences(&self, spec: &Value, found: &Found) -> Result<Vec<FieldChange>, StepError> {
        self.kind.diff(spec, &found.live).map_err(|error| shape(&error))
    }

    async fn until_due(&self, cloud: &dyn Cloud) -> Result<(), StepError> {
        if let Some(begin) = self.not_before {
            sleep_until(begin).await;
        }
        self.line.wait(|| cloud.throttled(&self.step.kind, &self.scope, self.step.place)).await;
        self.expect_permit(cloud, self.step.address.as_str())
    }

    /// Checks the lease, since time has passed since the step started.
    pub(super) fn expect_permit(&self, cloud: &dyn Cloud, what: &str) -> Result<(), StepError> {
        match self.permit.holds(cloud.now()) {
            true => Ok(()),
            false => {
                let message = format!("another run took the lock before `{what}` was finished");
                Err(StepError::NeverReady { message })
            }
        }
    }

    async fn delete(&self, cloud: &dyn Cloud, call: &Call, id: &str) -> Result<StepOutput, StepError> {
        let mut pauses = Pauses::of(Wait::SETTLE);
        while let Err(error) = cloud.delete(self.kind.name(), call, id).await {
            self.settle(cloud, error, &mut pauses).await?;
        }
        let ids = [id.to_owned()];
        let mut pauses = Pauses::of(self.kind.wait());
        while self.look(cloud, &ids).await?.is_some() {
            self.pause(&mut pauses, format!("`{id}` is still there")).await?;
        }
        Ok(StepOutput::default())
    }

    async fn until_ready(
        &self,
        cloud: &dyn Cloud,
        spec: &Value,
        mut found: Found,
    ) -> Result<WaitResult, StepError> {
        let begin = Instant::now();
        let mut pauses = Pauses::of(self.kind.wait());
        loop {
            match self.kind.ready(spec, &found.live).map_err(|error| shape(&error))? {
                Readiness::Ready => return Ok(WaitResult::Ready(found)),
                Readiness::Short(why) => return Ok(WaitResult::Short(found, why)),
                Readiness::Failed(message) => return Err(StepError::NeverReady { message }),
                Readiness::Waiting(waiting_for) => {
                    if let Err(late) = self.pause(&mut pauses, waiting_for).await {
                        return Ok(WaitResult::Late(found, late));
                    }
                }
            }
            let ids = [found.id.clone()];
            match self.look(cloud, &ids).await? {
                Some(now) => found = now,
                // Reads may lag behind the creation; if it stays absent for longer, it is gone.
                None if begin.elapsed() <= cloud.consistency() => {}
                None => return Err(StepError::NeverReady { message: format!("`{}` went away", found.id) }),
            }
        }
    }

    fn left(&self, found: &Found, climbed: Vec<String>) -> Result<StepOutput, StepError> {
        let outputs = self.kind.outputs(&found.id, &found.live).map_err(|error| shape(&error))?;
        let serving = self.kind.serving(&found.live).map_err(|error| shape(&error))?;
        let matters = self.kind.role().holds_data() || serving.is_some();
        Ok(StepOutput { id: found.id.clone(), outputs, found: matters.then(|| found.clone()), climbed })
    }

    pub(super) async fn look(&self, cloud: &dyn Cloud, ids: &[String]) -> Result<Option<Found>, StepError> {
        let mut pauses = Pauses::of(Wait::SETTLE);
        loop {
            let looked = cloud.read(self.kind.name(), &self.scope, self.step.place, ids).await;
            let none = || StepError::Internal { message: "a look without an answer".to_owned() };
            match looked.into_iter().next().ok_or_else(none)? {
                Ok(found) => return Ok(found),
                Err(error) if self.retry_transient => self.settle(cloud, error, &mut pauses).await?,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Pauses if the error is transient and the run may call again; otherwise returns the error.
    pub(super) async fn settle(
        &self,
        cloud: &dyn Cloud,
        error: CloudError,
        pauses: &mut Pauses,
    ) -> Result<(), StepError> {
        use CloudError::{Conflict, NotYet, Throttled};
        let passes = matches!(error, Conflict { .. } | NotYet { .. } | Throttled { .. });
        let may_pass = passes || self.retry_transient && error.is_transient();
        if !may_pass {
            return Err(error.into());
        }
        self.again(cloud, error, pauses).await
    }

    /// Pauses before the call is repeated, if the run may call again; otherwise returns the error.
    pub(super) async fn again(
        &self,
        cloud: &dyn Cloud,
        error: CloudError,
        pauses: &mut Pauses,
    ) -> Result<(), StepError> {
        let Some(pause) = pauses.next() else { return Err(error.into()) };
        self.tell(Note { waiting_for: error.to_string(), output: error.output().map(str::to_owned) });
        sleep(pause).await;
        // A retry is a call like the first, and another run may hold the lock by now.
        if self.permit.holds(cloud.now()) { Ok(()) } else { Err(error.into()) }
    }

    async fn pause(&self, pauses: &mut Pauses, waiting_for: String) -> Result<(), StepError> {
        let seconds = self.kind.wait().deadline.as_secs();
        let Some(pause) = pauses.next() else { return Err(StepError::Deadline { seconds, waiting_for }) };
        self.note(waiting_for);
        sleep(pause).await;
        Ok(())
    }

    pub(super) fn note(&self, waiting_for: String) {
        self.tell(Note { waiting_for, output: None });
    }

    fn tell(&self, note: Note) {
        // The receiving loop outlives its tasks, so a send error can be ignored.
        let _ = self.notes.send((self.id, note));
    }
}

/// Returns the shortage that a refused call reports, if any.
fn shortage(error: &CloudError) -> Option<Shortage> {
    let (limit, message) = match error {
        CloudError::NoCapacity { message, .. } => (Limit::Capacity, message.clone()),
        CloudError::Quota { message, .. } => (Limit::Quota, message.clone()),
        _ => return None,
    };
    Some(Shortage { limit, message })
}

pub(super) fn shape(error: &crate::kind::ShapeError) -> StepError {
    StepError::Internal { message: error.to_string() }
}
