//! Doubts about which region serves: the messages about them, and recording the mode anew.

use drstack_core::control::mode::KeptMode;
use drstack_core::control::record;
use drstack_core::control::witness::{self, Doubt};
use drstack_core::objective::Mode;
use drstack_core::plan::{Intent, Options};

use jiff::Timestamp;

use crate::failure::{Failure, Status, mode_failure};
use crate::operator::News;
use crate::session::Session;
use crate::steps::lock::release;

impl Session {
    /// Returns the mode for a run that keeps it. A doubt about it is a failure.
    pub(crate) async fn sure_mode(&self) -> Result<KeptMode, Failure> {
        let kept = self.mode().await?;
        self.in_doubt(&kept).map_or(Ok(kept), Err)
    }

    /// Returns the failure for a doubt about `kept`, if there is one.
    pub(crate) fn in_doubt(&self, kept: &KeptMode) -> Option<Failure> {
        let doubt = kept.doubt.as_ref()?;
        if let Doubt::Unseen(error) = doubt {
            let message = format!("which region serves is not known: {error}");
            return Some(Failure::new(Status::Failed, message, error.hint()));
        }
        let hint = match (doubt, &kept.record) {
            (Doubt::Elsewhere(bucket), Some(record)) => {
                let mode = record.standing.mode;
                format!(
                    "write `control = \"{bucket}\"` in `[stack]`; where this is another stack, give it another `name`; where that bucket is lost, or to move the stack to this one, run `drstack apply STACK --mode {}`: it records here that {} serves",
                    mode.name(),
                    self.serving(mode)
                )
            }
            _ => self.ways(kept),
        };
        Some(Failure::new(Status::NotReady, self.doubted(doubt, kept), hint))
    }

    /// Fails if another control bucket keeps this stack: another stack with the same name would take
    /// over what this one has.
    pub(crate) fn expect_own_bucket(&self, kept: &KeptMode) -> Result<(), Failure> {
        match &kept.doubt {
            Some(Doubt::Elsewhere(_)) => self.in_doubt(kept).map_or(Ok(()), Err),
            _ => Ok(()),
        }
    }

    /// Describes a doubt and the witnesses that contradict the record.
    fn doubted(&self, doubt: &Doubt, kept: &KeptMode) -> String {
        let control = &self.stack.facts.control;
        let why = match doubt {
            Doubt::Missing => format!("the control bucket `{control}` has no record of which region serves"),
            Doubt::Damaged(error) => {
                format!("the record of which region serves is damaged (`mode.json` in `{control}`: {error})")
            }
            Doubt::Older(epoch) => {
                format!("the record of which region serves is an old one (epoch {epoch} in `{control}`)")
            }
            Doubt::Contradicted(mode) => {
                format!("the control bucket `{control}` says that {} serves", self.serving(*mode))
            }
            Doubt::Elsewhere(bucket) => {
                format!("this stack is kept in the control bucket `{bucket}`, not in `{control}`")
            }
            Doubt::Unseen(error) => format!("which region serves is not known: {error}"),
            Doubt::Unreadable(error) => {
                format!("the control bucket `{control}` has no record of which region serves, and {error}")
            }
        };
        let Some(record) = &kept.record else { return why };
        let region = self.serving(record.standing.mode);
        let epoch = match (doubt, &kept.testimony) {
            (Doubt::Elsewhere(_), Some(testimony)) => testimony.record.standing.epoch,
            _ => record.standing.epoch,
        };
        format!("{why}, and {} says that {region} serves (epoch {epoch})", kept.witnesses.join(", "))
    }

    fn serving(&self, mode: Mode) -> &str {
        match mode {
            Mode::Active => &self.stack.facts.standby,
            Mode::Standby => &self.stack.facts.primary,
        }
    }

    /// Returns the commands that resolve a doubt, if only the witnesses are known.
    fn ways(&self, kept: &KeptMode) -> String {
        let (primary, standby) = (self.serving(Mode::Standby), self.serving(Mode::Active));
        let changes = format!(
            "run `drstack failover STACK` where {standby} is to serve, or `drstack failback STACK` where {primary} is"
        );
        let mode = match &kept.record {
            Some(record) => record.standing.mode.name(),
            None => return format!("{changes}: either records it anew"),
        };
        format!(
            "run `drstack apply STACK --mode {mode}` if that is so; else {changes}: each of them records it anew"
        )
    }

    /// Warns of a doubt before a run that changes the mode goes on from what serves.
    pub(crate) fn warn_of_doubt(&self, kept: &KeptMode) -> Result<(), Failure> {
        match &kept.doubt {
            // A failback has the time to read again; a failover does not.
            Some(Doubt::Unseen(_)) if self.alone.is_none() => self.in_doubt(kept).map_or(Ok(()), Err),
            Some(doubt) => {
                self.warn(&format!("warning: {}", self.doubted(doubt, kept)));
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Records `mode` again if it is in doubt and the witnesses agree with it.
    pub(crate) async fn record_anew(&mut self, mode: Mode, auto_approve: bool) -> Result<(), Failure> {
        let options =
            Options { intent: Intent::Converge, mode, targets: Vec::new(), delete_data: Default::default() };
        self.decisions.stated = true;
        let shown = self.plan(&options).await?;
        self.decisions.stated = false;
        let kept = &shown.mode;
        let change = match mode {
            Mode::Active => "`drstack failover STACK`",
            Mode::Standby => "`drstack failback STACK`",
        };
        let is_said = (kept.record.is_some() || kept.doubt.is_none()) && kept.standing().mode != mode;
        let is_in_part = kept.testimony.as_ref().is_some_and(|it| it.in_part);
        match &kept.doubt {
            None if !is_said => return Ok(()),
            None => {
                let message = format!(
                    "{} serves: an apply does not change the mode",
                    self.serving(kept.standing().mode)
                );
                return Err(Failure::new(Status::Usage, message, format!("use {change}")));
            }
            Some(Doubt::Unseen(_)) => return self.in_doubt(kept).map_or(Ok(()), Err),
            // Nothing says that the standby region serves, so no apply has it serve.
            Some(doubt) if is_said || kept.record.is_none() && mode == Mode::Active => {
                let message = self.doubted(doubt, kept);
                return Err(Failure::new(
                    Status::NotReady,
                    message,
                    format!("use {change}: it records the mode anew"),
                ));
            }
            Some(_) if is_in_part && mode == Mode::Active => {
                let message = "only parts of the stack had failed over, and which ones is not known any more";
                let hint = "run `drstack failover STACK --only ADDRESS`, with each of them, or `drstack failover STACK`";
                return Err(Failure::new(Status::NotReady, message, hint));
            }
            Some(doubt) => self.warn(&format!("warning: {}", self.doubted(doubt, kept))),
        }
        // The record takes the stack over, so all that may refuse the apply comes before it.
        if auto_approve {
            self.expect_more_than_replaced(&shown, &format!("apply STACK --mode {}", mode.name()))?;
        } else {
            if let Some(remark) = self.replaced(&shown) {
                self.warn(&format!("warning: {}", remark.text));
            }
            self.app.operator.approve(&self.recording(mode, kept))?;
        }
        let _answering = self.answer_stops();
        let lock = self.lock(Intent::Converge).await?;
        let standing = kept.next(mode, &kept.standing().only);
        let begun = kept.stated().begin(&*self.store, standing, self.now(), None, &lock.holder().run).await;
        let done = match begun {
            Ok(begun) => begun.complete(&*self.store).await,
            Err(error) => Err(error),
        };
        release(lock).await?;
        let done = done.map_err(|error| mode_failure(&error))?;
        self.testify(&done).await;
        self.tell(News::ModeRecorded { mode, region: self.serving(mode), epoch: done.standing().epoch });
        Ok(())
    }

    /// Returns the question for recording that the region of `mode` serves.
    fn recording(&self, mode: Mode, kept: &KeptMode) -> String {
        let (serving, control) = (self.serving(mode), &self.stack.facts.control);
        match &kept.doubt {
            Some(Doubt::Elsewhere(bucket)) => {
                format!("Record in `{control}`, in place of `{bucket}`, that {serving} serves?")
            }
            _ => format!("Record that {serving} serves?"),
        }
    }

    /// Stores the mode record a second time, so that one copy may be lost. A failure to store it
    /// fails no run.
    pub(crate) async fn testify(&self, kept: &KeptMode) {
        let control = &self.stack.facts.control;
        if let Err(error) = kept.testify(&*self.cloud, &self.scope, control).await {
            let name = record::name(&self.stack.facts.name);
            self.warn(&format!("warning: the mode is not kept a second time, in `{name}`: {error}"));
        }
    }

    /// Records that all that the failover of `begun` was asked for serves since `at`. A failure to
    /// record it fails no run: the next one counts from the same outage.
    pub(crate) async fn end_outage(&self, begun: &KeptMode, at: Timestamp) {
        // The lock is released by now. The second record has no conditional write, so that it could
        // overwrite what a failback has begun to record there; it keeps the outage open.
        if let Err(error) = begun.end_outage(&*self.store, at).await {
            self.warn(&format!(
                "warning: the end of the outage is not recorded, so another failover counts from its beginning: {error}"
            ));
        }
    }

    /// Stores the second mode record if only one exists.
    pub(crate) async fn keep_twice(&self, kept: &KeptMode) {
        if kept.is_kept_once(&self.stack.facts.control) {
            self.testify(kept).await;
        }
    }

    /// Deletes the second mode record, before the first one is deleted with the control bucket.
    pub(crate) async fn forget_mode(&self) -> Result<(), Failure> {
        let gone = witness::forget(&*self.cloud, &self.scope).await;
        gone.map_err(|error| Failure::new(Status::Failed, &error, error.hint()))
    }
}
