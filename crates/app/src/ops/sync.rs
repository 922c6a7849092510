//! Brings the standby region in line with what the primary has become since the last apply.

use drstack_core::bundle::Bundle;
use drstack_core::control::{StoreError, published};
use drstack_core::keys::PrivateKey;
use drstack_core::objective::Mode;
use drstack_core::plan::{ByItself, Intent, Options};
use jiff::Timestamp;

use crate::failure::{Ended, Failure, Status, store_failure};
use crate::identity::same_stack;
use crate::operator::{News, Run};
use crate::ops::finish::{Approval, finish};
use crate::planned::PlanOutcome;
use crate::session::Session;
use crate::steps::publish::signer;
use crate::steps::then::BundleAction;
use crate::text::count;

/// Options of a sync.
pub struct Sync {
    /// Change nothing: only tell whether the standby region is behind.
    pub check: bool,
    /// The key that signs the bundle.
    pub signing_key: Option<PrivateKey>,
    /// Number of steps that run at once.
    pub parallelism: usize,
    /// The stack and its inputs, as an operator types them.
    pub typed: String,
}

/// Captures what the primary is now, and does what follows from it within `[sync]` of the stack of
/// `session`. Asks nobody: what needs a person is left and told.
///
/// # Errors
/// Returns an error if something could not be looked at or done, and
/// [`NotReady`](Status::NotReady) if the standby region is behind at the end.
pub async fn sync(session: &mut Session, how: Sync) -> Ended {
    session.decisions.parallelism = Some(how.parallelism);
    let begun = session.now();
    session.expect_of_this_stack().await?;
    session.expect_in_standby(&how.typed).await?;
    session.expect_as_applied(&how.typed).await?;
    session.signer = if how.check { None } else { signer(&session.stack, how.signing_key)? };
    session.decisions.by_itself = Some(session.may_alone().await?);
    let options = Options {
        intent: Intent::Converge,
        mode: Mode::Standby,
        targets: Vec::new(),
        delete_data: [].into(),
    };
    let shown = session.plan(&options).await?;
    session.tell(News::Moved { moved: &shown.moved, primary: &session.stack.facts.primary });
    let failover = format!("drstack failover {}", how.typed);
    let way_out = session.way_out(&shown, options.intent, Some(&failover)).await;
    session.show(&shown, options.intent, way_out);
    session.tell(News::ForAPerson(&shown.for_a_person));
    let left = left_for_a_person(&shown, &how.typed);
    let unseen = unseen(&shown, &how.typed);
    if how.check {
        unseen?;
        // What only a person can do, no sync does.
        let behind = match shown.plan.is_empty() && left.is_err() {
            true => Ok(()),
            false => session.behind(&shown, &how.typed).await?,
        };
        let ready = session.expect_ready(&shown).await;
        return behind.and(left).and(ready).map(|()| Status::Done);
    }
    let publishes = shown.then == BundleAction::Publish;
    if !shown.plan.is_empty() {
        let ended = finish(session, &options, shown, Run::Sync, how.parallelism, Approval::Given).await;
        if !publishes || !matches!(ended, Ok(Status::Done)) {
            session.warn_of_bundle_before(begun).await;
        }
        let ended = ended?;
        return unseen.and(left).map(|()| ended);
    }
    unseen?;
    if !publishes {
        session.warn_of_bundle_before(begun).await;
    }
    let ready = session.expect_ready(&shown).await;
    let mode = shown.mode.clone();
    session.publish_unchanged(&options, shown).await?;
    session.keep_twice(&mode).await;
    ready.and(left).map(|()| Status::Done)
}

impl Session {
    /// Returns what a sync may do by itself.
    ///
    /// # Errors
    /// Returns the error of the control bucket: what the last apply left is then not known.
    pub(crate) async fn may_alone(&self) -> Result<ByItself, Failure> {
        let bytes = match published::bundle(&*self.store).await {
            Ok(bytes) => bytes,
            Err(StoreError::NoBucket { .. }) => None,
            Err(error) => return Err(store_failure(&error)),
        };
        // A bundle that cannot be read is reported where it is used.
        let bundle = bytes.and_then(|it| Bundle::from_bytes(&it).ok());
        let had = bundle.map(|it| it.data).unwrap_or_default();
        let had = had.into_iter().map(|(address, found)| (address, found.id)).collect();
        Ok(ByItself { limits: self.stack.sync.clone(), had })
    }

    /// Fails if the control bucket is another stack's: what it says of who serves is not about this one.
    async fn expect_of_this_stack(&self) -> Result<(), Failure> {
        self.kept_facts().await?.of.iter().try_for_each(|applied| same_stack(&self.stack.facts, applied))
    }

    /// Fails if the primary does not serve: a sync follows it, and after a failover it is idle.
    async fn expect_in_standby(&self, typed: &str) -> Result<(), Failure> {
        let mode = self.sure_mode().await?;
        let standby = &self.stack.facts.standby;
        let only = mode.standing().only;
        let (message, hint) = match (mode.standing().mode, mode.is_complete()) {
            (Mode::Standby, true) => return Ok(()),
            (Mode::Active, true) if !only.is_empty() => (
                format!(
                    "{} has failed over to {standby}, and a sync follows the primary as a whole",
                    only.join(", ")
                ),
                format!(
                    "`drstack apply {typed}` brings over the rest; a sync works again after `drstack failback {typed}`"
                ),
            ),
            (Mode::Active, true) => (
                format!("{standby} serves: the primary is idle since the failover, and a sync follows it"),
                format!(
                    "a sync works again after `drstack failback {typed}`; until then, `drstack apply {typed}` keeps what serves as the stack has it"
                ),
            ),
            (Mode::Active, false) => (
                "a failover is not complete".to_owned(),
                format!(
                    "`drstack {} {typed}` goes on with it, `drstack failback {typed}` leads back",
                    mode.failover_on(true)
                ),
            ),
            (Mode::Standby, false) => (
                "a failback is not complete".to_owned(),
                format!("run `drstack failback {typed}` again: it goes on from there"),
            ),
        };
        Err(Failure::new(Status::NotReady, message, hint))
    }

    /// Fails if the files of the stack say something else than what was applied: a sync brings over
    /// what the primary changed, and what a person wrote is applied by a person.
    async fn expect_as_applied(&self, typed: &str) -> Result<(), Failure> {
        let Some((applied_at, differences)) = self.changed_since_applied().await? else {
            let message = "there is no bundle of a complete apply here (none was complete, a destroy removed it, or it is lost), and a sync follows what was applied";
            return Err(Failure::new(Status::NotReady, message, format!("run `drstack apply {typed}`")));
        };
        if differences.is_empty() {
            return Ok(());
        }
        let all = differences.join(", ");
        let message =
            format!("the files of the stack have changed since the apply of {applied_at:.0}: {all}");
        let hint = format!(
            "a sync applies no change of the files: `drstack plan {typed}` shows what it is, `drstack apply {typed}` applies it"
        );
        Err(Failure::new(Status::NotReady, message, hint))
    }

    /// Says of which time the bundle is that a failover works from, if it is of before this sync.
    async fn warn_of_bundle_before(&self, begun: Timestamp) {
        if let Ok(Some((applied_at, _))) = self.changed_since_applied().await
            && applied_at < begun
        {
            self.warn(&format!(
                "warning: the bundle is still that of {applied_at:.0}: a failover starts images, types and sizes of then until all of this is done"
            ));
        }
    }

    /// Fails if a sync would change something.
    async fn behind(&self, shown: &PlanOutcome, typed: &str) -> Result<Result<(), Failure>, Failure> {
        let standby = &self.stack.facts.standby;
        let what = match shown.plan.steps.len() {
            0 if self.leads_the_same(shown).await? => return Ok(Ok(())),
            0 => "a failover would work from an older bundle".to_owned(),
            steps => format!("{} to make", count(steps, "change")),
        };
        let hint = format!("`drstack sync {typed}` brings over what it may");
        Ok(Err(Failure::new(Status::NotReady, format!("{standby} is behind: {what}"), hint)))
    }
}

/// Fails if something could not be looked at, so that nobody knows whether it is in line.
fn unseen(shown: &PlanOutcome, typed: &str) -> Result<(), Failure> {
    let Some(first) = shown.unanswered.first() else {
        return match shown.report.blocked.first() {
            None => Ok(()),
            Some(first) => Err(Failure::new(
                Status::Failed,
                format!("{} cannot be brought in line: {}", first.address, first.text),
                format!("`drstack plan {typed}` shows all that is blocked, and the way on"),
            )),
        };
    };
    let more = match shown.unanswered.len() - 1 {
        0 => String::new(),
        more => format!(", and {} more", count(more, "question")),
    };
    let message = format!(
        "nobody knows whether the standby region is in line: {} was not answered ({}){more}",
        first.address, first.text
    );
    Err(Failure::new(
        Status::Failed,
        message,
        "run it again once the primary answers; the answers of before count until then",
    ))
}

/// Fails if something is left for a person.
fn left_for_a_person(shown: &PlanOutcome, typed: &str) -> Result<(), Failure> {
    let Some(first) = shown.for_a_person.first() else { return Ok(()) };
    let more = match shown.for_a_person.len() - 1 {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    let message = format!("a person is needed for {}: {}{more}", first.address, first.why);
    let hint = format!("`drstack plan {typed}` shows it, `drstack apply {typed}` does it");
    Err(Failure::new(Status::NotReady, message, hint))
}
