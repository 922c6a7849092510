//! One step at work: its call, its retries, and the wait until it is ready.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{Instant, sleep, sleep_until};

use super::event::StepError;
use super::journal::Permit;
use super::wait::Pauses;
use crate::cloud::{Call, Cloud, CloudError, Found, Scope};
use crate::kind::{Action, DynKind, FieldChange, Readiness, Wait};
use crate::plan::{Step, StepId};

/// How long a call is repeated that is refused because something is still being changed: a role that is not known
/// everywhere yet (AWS says up to 90 s), a table that takes one replica update at a time.
const SETTLE: Wait = Wait {
    deadline: Duration::from_secs(180),
    first: Duration::from_millis(500),
    slowest: Duration::from_secs(10),
};

/// A step with all it needs.
pub(super) struct Job {
    pub(super) id: StepId,
    pub(super) step: Step,
    /// Links resolved.
    pub(super) spec: Value,
    pub(super) kind: &'static dyn DynKind,
    pub(super) scope: Scope,
    pub(super) notes: UnboundedSender<(StepId, String)>,
    pub(super) permit: Permit,
    /// When it may begin: as the pace allows, and a deletion once every look finds what takes its place. Were the old
    /// one gone before, whoever looks in between would see neither, and make a third.
    pub(super) not_before: Option<Instant>,
}

/// What a step left behind: nothing after a deletion.
#[derive(Debug, Default)]
pub(super) struct Left {
    pub(super) id: String,
    pub(super) outputs: BTreeMap<String, String>,
}

/// A step that ended.
pub(super) struct Ended {
    pub(super) step: StepId,
    pub(super) result: Result<Left, StepError>,
    /// After a creation that failed: a look found nothing of it.
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
        let without_trace = result.is_err() && self.left_nothing(cloud).await;
        Ended { step: self.id, result, without_trace }
    }

    /// Whether a creation that failed certainly left nothing: it may be made of several calls, of which the first had its effect.
    async fn left_nothing(&self, cloud: &dyn Cloud) -> bool {
        match (self.step.action, &self.step.id) {
            (Action::Create, Some(name)) => {
                matches!(self.look(cloud, std::slice::from_ref(name)).await, Ok(None))
            }
            _ => false,
        }
    }

    /// Makes it, and then whatever the making alone does not bring: settings and tags that take a call of their own.
    async fn create(&self, cloud: &dyn Cloud, call: &Call) -> Result<Left, StepError> {
        let mut pauses = Pauses::of(SETTLE);
        let found = loop {
            match cloud.create(self.kind.name(), call, &self.spec).await {
                Err(error) => self.settle(cloud, error, &mut pauses).await?,
                Ok(found) => break found,
            }
        };
        let found = self.until_ready(cloud, found).await?;
        let changes = self.kind.diff(&self.spec, &found.live).map_err(|error| shape(&error))?;
        if changes.is_empty() {
            return self.left(&found);
        }
        if let Some(change) = changes.iter().find(|change| change.replace) {
            let message = format!("`{}` was made with another {}: {}", found.id, change.field, change.from);
            return Err(StepError::NeverReady { message });
        }
        self.change(cloud, call, &found.id, &changes).await
    }

    async fn update(&self, cloud: &dyn Cloud, call: &Call, id: &str) -> Result<Left, StepError> {
        self.change(cloud, call, id, &self.step.changes).await
    }

    async fn change(
        &self,
        cloud: &dyn Cloud,
        call: &Call,
        id: &str,
        changes: &[FieldChange],
    ) -> Result<Left, StepError> {
        self.expect_permit(cloud, id)?;
        let mut pauses = Pauses::of(SETTLE);
        let kind = self.kind.name();
        while let Err(error) = cloud.update(kind, call, id, &self.spec, changes).await {
            self.settle(cloud, error, &mut pauses).await?;
        }
        let ids = [id.to_owned()];
        let absent = || StepError::NeverReady { message: format!("`{id}` went away while it was changed") };
        let found = self.look(cloud, &ids).await?.ok_or_else(absent)?;
        let found = self.until_ready(cloud, found).await?;
        self.left(&found)
    }

    async fn until_due(&self, cloud: &dyn Cloud) -> Result<(), StepError> {
        let Some(begin) = self.not_before else { return Ok(()) };
        sleep_until(begin).await;
        self.expect_permit(cloud, self.step.address.as_str())
    }

    /// Some time has passed since the step began.
    fn expect_permit(&self, cloud: &dyn Cloud, what: &str) -> Result<(), StepError> {
        match self.permit.holds(cloud.now()) {
            true => Ok(()),
            false => {
                let message = format!("another run took over before `{what}` was finished");
                Err(StepError::NeverReady { message })
            }
        }
    }

    async fn delete(&self, cloud: &dyn Cloud, call: &Call, id: &str) -> Result<Left, StepError> {
        let mut pauses = Pauses::of(SETTLE);
        while let Err(error) = cloud.delete(self.kind.name(), call, id).await {
            self.settle(cloud, error, &mut pauses).await?;
        }
        let ids = [id.to_owned()];
        let mut pauses = Pauses::of(self.kind.wait());
        while self.look(cloud, &ids).await?.is_some() {
            self.pause(&mut pauses, format!("`{id}` is still there")).await?;
        }
        Ok(Left::default())
    }

    async fn until_ready(&self, cloud: &dyn Cloud, mut found: Found) -> Result<Found, StepError> {
        let begin = Instant::now();
        let mut pauses = Pauses::of(self.kind.wait());
        loop {
            match self.kind.ready(&self.spec, &found.live).map_err(|error| shape(&error))? {
                Readiness::Ready => return Ok(found),
                Readiness::Failed(message) => return Err(StepError::NeverReady { message }),
                Readiness::Waiting(waiting_for) => self.pause(&mut pauses, waiting_for).await?,
            }
            let ids = [found.id.clone()];
            match self.look(cloud, &ids).await? {
                Some(now) => found = now,
                // Reads may lag behind the creation; absent for longer than that is gone.
                None if begin.elapsed() <= cloud.consistency() => {}
                None => return Err(StepError::NeverReady { message: format!("`{}` went away", found.id) }),
            }
        }
    }

    fn left(&self, found: &Found) -> Result<Left, StepError> {
        let outputs = self.kind.outputs(&found.id, &found.live).map_err(|error| shape(&error))?;
        Ok(Left { id: found.id.clone(), outputs })
    }

    async fn look(&self, cloud: &dyn Cloud, ids: &[String]) -> Result<Option<Found>, StepError> {
        let looked = cloud.read(self.kind.name(), &self.scope, self.step.place, ids).await;
        let none = || StepError::Internal { message: "a look without an answer".to_owned() };
        Ok(looked.into_iter().next().ok_or_else(none)??)
    }

    /// Waits where the refusal passes by itself and the run may call again, else gives the error back.
    async fn settle(
        &self,
        cloud: &dyn Cloud,
        error: CloudError,
        pauses: &mut Pauses,
    ) -> Result<(), StepError> {
        let (CloudError::Conflict { .. } | CloudError::Throttled { .. }) = &error else {
            return Err(error.into());
        };
        let Some(pause) = pauses.next() else { return Err(error.into()) };
        self.note(error.to_string());
        sleep(pause).await;
        // A second try is a call like the first, and the run may have been taken over meanwhile.
        if self.permit.holds(cloud.now()) { Ok(()) } else { Err(error.into()) }
    }

    async fn pause(&self, pauses: &mut Pauses, waiting_for: String) -> Result<(), StepError> {
        let seconds = self.kind.wait().deadline.as_secs();
        let Some(pause) = pauses.next() else { return Err(StepError::Deadline { seconds, waiting_for }) };
        self.note(waiting_for);
        sleep(pause).await;
        Ok(())
    }

    fn note(&self, waiting_for: String) {
        // The loop that listens outlives its tasks; when it is gone nobody wants to know.
        let _ = self.notes.send((self.id, waiting_for));
    }
}

fn shape(error: &crate::kind::ShapeError) -> StepError {
    StepError::Internal { message: error.to_string() }
}
