//! The bundle at the edge: who publishes it and when, who signs it, and a session that is opened from it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use drstack_core::address::Address;
use drstack_core::bundle::{Bundle, BundleError, untouched};
use drstack_core::cloud::Found;
use drstack_core::compile::compile;
use drstack_core::component::StackFacts;
use drstack_core::control::lock::Lock;
use drstack_core::control::published::{self, Published, publish, published, withdraw};
use drstack_core::control::records::facts;
use drstack_core::control::{ControlStore, StoreError};
use drstack_core::keys::{KeyError, PrivateKey, PublicKey};
use drstack_core::kind::Place;
use drstack_core::objective::{Mode, Standing};
use drstack_core::observe::{Look, look_again};
use drstack_core::plan::Options;
use drstack_core::plan::skeleton::Skeleton;
use drstack_core::plan::stability::Rehearsal;
use drstack_core::stack::{Stack, is_bucket_name, is_region};
use jiff::Timestamp;

use crate::args::{BundleArgs, FailoverArgs, Global};
use crate::cloud::control_store;
use crate::exit::{Exit, Failure};
use crate::files;
use crate::planning::{Planned, shape_failure};
use crate::publishing::Then;
use crate::session::{Alone, Rehearsed, Session, store_failure};
use crate::ui::Ui;
use crate::vouched::Vouched;

/// Where a bundle lies: `s3://CONTROL/STACK`.
struct Url {
    control: String,
    stack: String,
}

impl Url {
    fn parse(text: &str) -> Result<Self, Failure> {
        let parts = text.strip_prefix("s3://").and_then(|it| it.trim_end_matches('/').split_once('/'));
        match parts {
            Some((control, stack)) if is_bucket_name(control) && !stack.is_empty() => {
                Ok(Self { control: control.to_owned(), stack: stack.to_owned() })
            }
            _ => {
                let hint = "write `s3://CONTROL/STACK`: the control bucket, and the stack's name";
                Err(Failure::new(Exit::Usage, format!("`{text}` names no bundle"), hint))
            }
        }
    }

    /// The region that the bucket's name tells: a stack that names no `control` has `drstack-STACK-REGION`.
    fn region(&self) -> Option<&str> {
        let rest = self.control.strip_prefix("drstack-")?.strip_prefix(&*self.stack)?;
        rest.strip_prefix('-').filter(|it| is_region(it))
    }
}

/// The private key in the file at `path`.
pub(crate) fn private_key(path: &Path) -> Result<PrivateKey, Failure> {
    let fail = |message: String| {
        let hint = "name a file that `drstack keys new FILE` has written";
        Failure::new(Exit::Usage, format!("`{}`: {message}", path.display()), hint)
    };
    let text = files::key_text(path).map_err(fail)?;
    PrivateKey::from_text(&text).map_err(|error| fail(error.to_string()))
}

/// Who signs the bundle of `stack`: nobody where neither the stack nor the caller names a key.
pub(crate) fn signer(stack: &Stack, file: Option<&Path>) -> Result<Option<PrivateKey>, Failure> {
    let key = file.map(private_key).transpose()?;
    match (&stack.signing, &key) {
        (Some(wanted), None) => {
            let message =
                format!("the stack's bundle is signed by {wanted}, and its private key is not at hand");
            let hint = "name its file with `--signing-key FILE`, or in DRSTACK_SIGNING_KEY";
            Err(Failure::new(Exit::Usage, message, hint))
        }
        (Some(wanted), Some(key)) if *wanted != key.public() => {
            let message =
                format!("the stack's bundle is signed by {wanted}, and this key is {}", key.public());
            let hint = "name the file of that key, or write this one into the stack: `signing` in `[stack]`";
            Err(Failure::new(Exit::Usage, message, hint))
        }
        _ => Ok(key),
    }
}

impl Session {
    /// What a complete run of `planned`, which has `made` its data, does with the bundle, under `lock`.
    pub(crate) async fn conclude(
        &self,
        planned: &Planned,
        made: &BTreeMap<Address, Found>,
        lock: &mut Lock,
    ) -> Result<(), Failure> {
        if planned.then == Then::Leave {
            return Ok(());
        }
        if planned.then == Then::Withdraw {
            self.hold(lock).await?;
            return withdraw(&*self.store).await.map_err(|error| store_failure(&error));
        }
        let bundle = self.bundle(planned, made, &lock.holder().run).await?;
        let was = published(&*self.store).await.map_err(|error| store_failure(&error))?;
        let bytes = bundle.to_bytes().map_err(|error| refused(&error))?;
        let signature = self.signer.as_ref().map(|key| key.sign(&bytes));
        self.hold(lock).await?;
        publish(&*self.store, &was, bytes, signature.as_deref()).await.map_err(|error| {
            let hint = "run `drstack apply` again: with nothing else to do it publishes the bundle";
            Failure::new(Exit::Failed, format!("the bundle is not published: {error}"), hint)
        })?;
        tracing::debug!(run = bundle.run, signed = signature.is_some(), "published the bundle");
        Ok(())
    }

    /// Whoever lost the lock leaves the bundle to the one who has it: asked last, since looking and signing may take longer than a
    /// lease, and heeded by the clock, since the answer may.
    pub(crate) async fn hold(&self, lock: &mut Lock) -> Result<(), Failure> {
        lock.hold(|| self.now()).await.map_err(|error| self.lock_failure(&error))
    }

    /// Keeps levels that were not kept yet and publishes the bundle where there was nothing else to do, if the published one says
    /// something else.
    pub(crate) async fn publish_unchanged(
        &mut self,
        options: &Options,
        shown: Planned,
    ) -> Result<(), Failure> {
        if shown.then != Then::Publish {
            return Ok(());
        }
        let is_published = self.is_published(&shown).await?;
        if is_published && !shown.has_new_levels {
            return Ok(());
        }
        let mut lock = match self.lock("apply").await {
            Ok(lock) => lock,
            // Whoever holds it has looked as well, and keeps what he saw.
            Err(_) if is_published => return Ok(()),
            Err(failure) => return Err(failure),
        };
        let done = self.publish_under(&mut lock, options, shown, is_published).await;
        let begun = lock.begun().clone();
        lock.release(&begun).await.map_err(|error| self.lock_failure(&error))?;
        done
    }

    async fn publish_under(
        &mut self,
        lock: &mut Lock,
        options: &Options,
        shown: Planned,
        is_published: bool,
    ) -> Result<(), Failure> {
        let planned = if shown.still_stands_under(lock) { shown } else { self.plan(options).await? };
        match planned.plan.is_empty() && planned.report.blocked.is_empty() {
            true => {
                lock.confirm(|| self.cloud.now()).await.map_err(|error| self.lock_failure(&error))?;
                self.keep_facts(&planned).await?;
                if is_published {
                    return Ok(());
                }
                self.conclude(&planned, &BTreeMap::new(), lock).await
            }
            false => {
                let hint = "run it again to see what is to be done now";
                Err(Failure::new(Exit::Locked, "the world changed while this plan was shown", hint))
            }
        }
    }

    /// Whether what is published would fail over to the same, and is signed as the stack wants.
    async fn is_published(&self, planned: &Planned) -> Result<bool, Failure> {
        let now = match published(&*self.store).await {
            Ok(Published { bundle: Some(bytes), signatures, .. }) => (bytes, signatures),
            Ok(_) | Err(StoreError::NoBucket { .. }) => return Ok(false),
            Err(error) => return Err(store_failure(&error)),
        };
        let signed = self.signer.as_ref().is_none_or(|key| key.public().check(&now.0, &now.1).is_ok());
        let wanted = self.bundle(planned, &BTreeMap::new(), "").await?;
        // What cannot be read is published anew.
        Ok(signed && Bundle::from_bytes(&now.0).is_ok_and(|it| it.says_the_same_as(&wanted)))
    }

    /// What a failover from now on would need, once `planned` has `made` its data.
    async fn bundle(
        &self,
        planned: &Planned,
        made: &BTreeMap<Address, Found>,
        run: &str,
    ) -> Result<Bundle, Failure> {
        let mut elsewhere = planned.elsewhere.clone();
        let changed: BTreeSet<&Address> = planned.plan.steps.iter().map(|step| &step.address).collect();
        let resources = planned.compiled.graph.resources.values();
        let changed = resources.filter(|it| it.place != Place::Standby && changed.contains(&it.address));
        for (address, look) in look_again(&*self.cloud, &self.kinds, &self.scope, changed).await {
            let message = match look {
                Look::Present(found) => {
                    elsewhere.insert(address, found);
                    continue;
                }
                Look::Absent => format!("{address} is not there any more"),
                Look::Unknown(error) => format!("{address}: {error}"),
            };
            let hint = "run `drstack apply` again: with nothing else to do it publishes the bundle";
            return Err(Failure::new(Exit::Failed, format!("the bundle is not published: {message}"), hint));
        }
        let takeover = self.skeleton(planned)?;
        let Planned { compiled, seen, plan, .. } = planned;
        let data = untouched(&compiled.graph, seen, plan, made, &takeover, &self.kinds)
            .map_err(|error| shape_failure(&error))?;
        Ok(Bundle {
            drstack: env!("CARGO_PKG_VERSION").to_owned(),
            run: run.to_owned(),
            applied_at: self.now(),
            stack: self.stack.resolve(),
            facts: planned.facts.facts.clone(),
            elsewhere,
            data,
            rehearsed: Some(takeover),
        })
    }

    /// What a takeover would do once all of `planned` stands.
    fn skeleton(&self, planned: &Planned) -> Result<Skeleton, Failure> {
        let of = |rehearsal: &Rehearsal| Skeleton::of(&rehearsal.plan);
        match &planned.rehearsal {
            Some(rehearsal) => Ok(of(rehearsal)),
            // While the standby region serves, it is the next takeover that counts: the one after handing back.
            None => {
                let facts = &planned.facts.facts;
                let standing = Standing::from(Mode::Standby);
                let epoch = standing.epoch.saturating_add(1);
                let standby = compile(&self.stack, facts, standing).graph;
                Ok(of(&self.rehearsed(facts, &standby, epoch)?))
            }
        }
    }

    /// A session for a takeover: from here on no other region than the standby's is called, unless it is planned. It works from what the
    /// last complete apply left in the control bucket, whatever the files of the stack say by now.
    pub(crate) async fn open_for_takeover(
        ui: Ui,
        global: &Global,
        args: &FailoverArgs,
    ) -> Result<Self, Failure> {
        if let Some(url) = &args.bundle.bundle {
            let (session, bundle) = Self::from_bundle(ui, global, url, &args.bundle).await?;
            let vouched = Vouched::of(args.bundle.verify_key.is_some(), None, &session.stack);
            vouched.expect(ui, args)?;
            return Ok(session.for_takeover(bundle, args.planned));
        }
        let session = Self::open(ui, global, &args.stack).await?;
        if !args.planned {
            session.cloud.stand_alone();
        }
        if args.without_control {
            return session.take_over_unkept(args.planned).await;
        }
        let StackFacts { name, control, .. } = session.stack.facts.clone();
        let key = verify_key(&args.bundle)?.or(session.stack.signing.clone());
        let url = Url { control, stack: name };
        let Some((bundle, stack, signed_by)) = opened(&*session.store, &url, key.as_ref()).await? else {
            ui.warn("warning: no apply was ever complete: taking over with what there is");
            if args.planned {
                return Ok(session);
            }
            let kept = facts(&*session.store).await.map_err(|error| store_failure(&error))?;
            let alone = Some(Alone { facts: kept.facts, known: BTreeMap::new() });
            return Ok(Self { alone, ..session });
        };
        // Who may write to the control bucket may write any hash: what is run is compared itself.
        Vouched::of(key.is_some(), Some(&session.stack), &stack).expect(ui, args)?;
        ui.note(&age(&bundle, signed_by.as_ref(), session.now()));
        if stack.hash != session.stack.hash {
            ui.note(&format!(
                "The files of the stack have changed since it was last applied ({:.0}): taking over with what was applied.",
                bundle.applied_at
            ));
        }
        Ok(Self { stack, ..session }.remembering(&bundle).for_takeover(bundle, args.planned))
    }

    /// A planned takeover asks the primary; any other has to do with what was left in the bundle.
    fn for_takeover(self, bundle: Bundle, is_planned: bool) -> Self {
        if is_planned {
            return self;
        }
        self.cloud.stand_alone();
        let Bundle { facts, elsewhere, data, .. } = bundle;
        let known = elsewhere.into_iter().chain(data).collect();
        Self { alone: Some(Alone { facts, known }), ..self }
    }

    /// Keeps what the takeover was expected to do.
    fn remembering(self, bundle: &Bundle) -> Self {
        let skeleton = bundle.rehearsed.clone();
        Self { rehearsed: skeleton.map(|skeleton| Rehearsed { at: bundle.applied_at, skeleton }), ..self }
    }

    /// The session that `args` name by its bundle alone, and that bundle: neither files of the stack nor the primary
    /// region are needed.
    pub(crate) async fn from_bundle(
        ui: Ui,
        global: &Global,
        url: &str,
        args: &BundleArgs,
    ) -> Result<(Self, Bundle), Failure> {
        let url = Url::parse(url)?;
        let _busy = ui.busy(format!("Reading the bundle in `{}`", url.control));
        let verify_key = verify_key(args)?;
        let found = {
            let region = args.region.as_deref().or(url.region());
            // Given back before the stack's own cloud is opened: a simulated one is opened once.
            let store = control_store(global, &url.control, &url.stack, region).await?;
            opened(&*store, &url, verify_key.as_ref()).await?
        };
        let Some((bundle, stack, signed_by)) = found else {
            let message = format!("there is no bundle in `{}`", url.control);
            let hint =
                "each complete `drstack apply` publishes it; without one, `STACK` names the stack's folder";
            return Err(Failure::new(Exit::Failed, message, hint));
        };
        if bundle.drstack != env!("CARGO_PKG_VERSION") {
            ui.note(&format!(
                "The bundle was published by drstack {}, this is {}.",
                bundle.drstack,
                env!("CARGO_PKG_VERSION")
            ));
        }
        tracing::debug!(run = bundle.run, applied_at = %bundle.applied_at, "opened the bundle");
        let session = Self::connected(ui, global, stack).await?;
        ui.note(&age(&bundle, signed_by.as_ref(), session.now()));
        Ok((session.remembering(&bundle), bundle))
    }
}

/// How old the bundle is and who signed it: one that was signed is not for that the newest.
fn age(bundle: &Bundle, signed_by: Option<&PublicKey>, now: Timestamp) -> String {
    let age = crate::views::duration(now.duration_since(bundle.applied_at).unsigned_abs());
    let signed = signed_by.map_or_else(|| "not signed".to_owned(), |key| format!("signed by {key}"));
    format!("The bundle is {age} old: published {:.0} by run {}, {signed}.", bundle.applied_at, bundle.run)
}

/// The published bundle, its stack and the key that signed it, after everything that speaks against it; `None` where none is published.
async fn opened(
    store: &dyn ControlStore,
    url: &Url,
    verify_key: Option<&PublicKey>,
) -> Result<Option<(Bundle, Stack, Option<PublicKey>)>, Failure> {
    let Some(bytes) = published::bundle(store).await.map_err(|error| store_failure(&error))? else {
        return Ok(None);
    };
    let check = async |key: &PublicKey| {
        let signatures = published::signatures(store).await.map_err(|error| store_failure(&error))?;
        key.check(&bytes, &signatures).map_err(|error| refused(&error.into()))
    };
    // The caller's key first: what is not signed by it is not even read.
    if let Some(key) = verify_key {
        check(key).await?;
    }
    let bundle = Bundle::from_bytes(&bytes).map_err(|error| refused(&error))?;
    if let (None, Some(key)) = (verify_key, &bundle.stack.signing) {
        check(key).await?;
    }
    let signed_by = verify_key.or(bundle.stack.signing.as_ref()).cloned();
    let stack =
        bundle.is_of(&url.stack, &url.control).and_then(|()| bundle.stack(&drstack_kinds::components()));
    Ok(Some((bundle, stack.map_err(|error| refused(&error))?, signed_by)))
}

fn verify_key(args: &BundleArgs) -> Result<Option<PublicKey>, Failure> {
    let key = args.verify_key.as_deref().map(str::parse).transpose();
    key.map_err(|error: KeyError| {
        Failure::new(Exit::Usage, format!("`--verify-key`: {error}"), drstack_core::keys::PUBLIC_KEY_HELP)
    })
}

fn refused(error: &BundleError) -> Failure {
    Failure::new(Exit::Invalid, error, error.hint())
}

#[cfg(test)]
mod tests {
    use super::Url;

    #[test]
    fn only_a_name_that_is_derived_from_the_region_tells_it() {
        let region = |url: &str| Url::parse(url).ok().unwrap().region().map(str::to_owned);
        assert_eq!(region("s3://drstack-my-app-us-west-2/my-app").as_deref(), Some("us-west-2"));
        for other in [
            "s3://acme-us-west-2/my-app",
            "s3://drstack-my-app-prod/my-app",
            "s3://drstack-my-app/my-app",
            "s3://drstack-us-west-2/my-app",
        ] {
            assert_eq!(region(other), None, "{other}");
        }
    }
}
