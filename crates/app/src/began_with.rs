//! A failover that began with the files of the stack (`--with-files`) goes on with them: each later
//! run of it works from the same stack, whatever files its machine has.

use drstack_core::bundle::Bundle;
use drstack_core::component::StackFacts;
use drstack_core::control::failover_stack::{FailoverStack, failover_stack, key};
use drstack_core::control::mode::KeptMode;
use drstack_core::control::record;
use drstack_core::control::witness::Doubt;
use drstack_core::keys::PublicKey;
use drstack_core::objective::Mode;
use drstack_core::stack::{Stack, is_bucket_name};
use jiff::Timestamp;

use crate::failure::{Failure, Status, store_failure};
use crate::identity::same_stack;
use crate::open::{Url, refused, with_bundle};
use crate::session::Session;
use crate::trust::{Published, Trust, Vouched};

impl Session {
    /// Returns the stack that the current failover began with in place of `bundle`'s; `None` if it
    /// works from what was applied, or an apply has taken that stack over since.
    ///
    /// `own` are the caller's files, `key` is the caller's. What neither they nor `trust` vouch for is refused: no key
    /// signs the stack of a failover.
    pub(crate) async fn began_with(
        &self,
        bundle: &Bundle,
        own: Option<&Stack>,
        key: Option<&PublicKey>,
        trust: &Trust,
    ) -> Result<Option<Stack>, Failure> {
        let kept = self.mode().await?;
        if own.is_none() {
            self.expect_bucket_of(&kept, bundle, key, trust)?;
        }
        let Some(digest) = chosen(&kept) else { return Ok(None) };
        let kept = failover_stack(&*self.store, &digest).await.map_err(|error| store_failure(&error))?;
        let Some(FailoverStack { at, run, stack }) = kept else {
            return self.lost(&digest, trust).map(|()| None);
        };
        if stack.differences(&bundle.stack).is_empty() {
            return Ok(None);
        }
        if bundle.applied_at > at {
            self.note(&taken_over(at, bundle));
            return Ok(None);
        }
        same_stack(&stack.facts, &bundle.stack.facts)?;
        let components = &self.app.catalog.components;
        let stack = stack.into_stack(components).map_err(|error| refused(&error.into()))?;
        Vouched::of(false, own, &stack).of_stack(Published::Begun).expect(self, trust)?;
        self.note(&on_with(at, &run));
        Ok(Some(stack))
    }

    /// Fails if the failover that serves began with other files than these, and no apply has taken them over
    /// since: this one would undo what the failover did to come up.
    pub(crate) async fn expect_what_began(&self, kept: &KeptMode, typed: &str) -> Result<(), Failure> {
        let Some(digest) = chosen(kept) else { return Ok(()) };
        let begun = failover_stack(&*self.store, &digest).await.map_err(|error| store_failure(&error))?;
        let Some(FailoverStack { at, run, stack }) = begun else {
            self.warn(&format!(
                "warning: the failover began with the files of the stack, and `{}` in `{}` no longer has them: nobody can say whether these are the same",
                key(&digest),
                self.stack.facts.control
            ));
            return Ok(());
        };
        if self.published().await.is_some_and(|bundle| bundle.applied_at > at) {
            return Ok(());
        }
        let differences = self.stack.resolve().differences(&stack);
        if differences.is_empty() {
            return Ok(());
        }
        let message = format!(
            "the failover began with other files than these (run {run}, {at:.0}): {}",
            differences.join(", ")
        );
        let hint = format!(
            "write what it began with into these files; or, where these are meant, `drstack apply {typed} --with-files`"
        );
        Err(Failure::new(Status::NotReady, message, hint))
    }

    /// Fails if the stack of `bundle` is kept in another control bucket by now: what was applied there is
    /// newer. The hint has the caller's `key`: one that the bundle names may be anybody's.
    fn expect_bucket_of(
        &self,
        kept: &KeptMode,
        bundle: &Bundle,
        key: Option<&PublicKey>,
        trust: &Trust,
    ) -> Result<(), Failure> {
        let Some(Doubt::Elsewhere(control)) = &kept.doubt else { return Ok(()) };
        if trust.watch || !is_bucket_name(control) {
            return Ok(());
        }
        let StackFacts { name, standby, control: old, .. } = &bundle.stack.facts;
        let url = Url { control: control.clone(), stack: name.clone() };
        let message = format!(
            "the bundle is of the control bucket `{old}`, and `{}` in {standby} says that the stack is kept in `{control}`",
            record::name(name)
        );
        let command = if trust.back { "failback" } else { "failover" };
        let hint = format!(
            "run {}; where that bucket is lost, run `drstack {command} STACK` in the stack's folder",
            with_bundle(command, &self.app, &url, standby, key)
        );
        Err(Failure::new(Status::NotReady, message, hint))
    }

    /// Fails if nobody accepts that what was applied takes the place of a lost stack.
    fn lost(&self, digest: &str, trust: &Trust) -> Result<(), Failure> {
        let message = format!(
            "this failover began with the files of the stack, and `{}` in `{}` no longer has them",
            key(digest),
            self.stack.facts.control
        );
        if trust.unsigned || trust.dry_run || trust.watch {
            self.warn(&format!("warning: {message}: it goes on with what was applied"));
            return Ok(());
        }
        let hint = "go on with the files, in the stack's folder: `drstack failover STACK --with-files`; or with what was applied, which may be less: `--unsigned`";
        Err(Failure::new(Status::Usage, message, hint))
    }
}

/// Returns the digest of the stack that the current failover began with; `None` if it works from what
/// was applied.
fn chosen(kept: &KeptMode) -> Option<String> {
    let standing = kept.standing();
    standing.files.filter(|_| standing.mode == Mode::Active)
}

fn taken_over(at: Timestamp, bundle: &Bundle) -> String {
    format!(
        "This failover began with the files of the stack, {at:.0}; the apply of run {} has taken its place, {:.0}: it goes on with what that applied.",
        bundle.run, bundle.applied_at
    )
}

fn on_with(at: Timestamp, run: &str) -> String {
    format!(
        "This failover began with the files of the stack: it goes on with those of run {run}, {at:.0}, and not with what was applied."
    )
}
