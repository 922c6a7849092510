//! Opens a session: from the files of a stack, from its published bundle, or for a failover.

use std::collections::BTreeMap;
use std::sync::Arc;

use drstack_core::bundle::{Bundle, BundleError};
use drstack_core::component::{ComponentRegistry, StackFacts};
use drstack_core::control::lock::holder;
use drstack_core::control::patient::{GARBLED, Patient};
use drstack_core::control::published;
use drstack_core::control::record;
use drstack_core::control::unkept::Unkept;
use drstack_core::control::witness::testimony;
use drstack_core::control::{ControlStore, StoreError};
use drstack_core::facts::Facts;
use drstack_core::keys::PublicKey;
use drstack_core::stack::{Stack, is_bucket_name, is_region};
use jiff::Timestamp;

use crate::app::App;
use crate::failure::{Failure, Status, store_failure};
use crate::freshness::{Demands, age, doubt};
use crate::planned::Rehearsed;
use crate::session::{RecoveryInputs, Session};
use crate::trust::{Trust, Vouched};

/// The URL of a bundle: `s3://CONTROL/STACK`.
pub(crate) struct Url {
    pub(crate) control: String,
    pub(crate) stack: String,
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
                Err(Failure::new(Status::Usage, format!("`{text}` names no bundle"), hint))
            }
        }
    }

    /// Returns the region in the bucket's name: a stack without `control` has
    /// `drstack-STACK-REGION`.
    fn region(&self) -> Option<&str> {
        let rest = self.control.strip_prefix("drstack-")?.strip_prefix(&*self.stack)?;
        rest.strip_prefix('-').filter(|it| is_region(it))
    }
}

/// The address of a published bundle.
#[derive(Clone, Debug)]
pub struct BundleAt {
    /// URL of the bundle: `s3://CONTROL/STACK`.
    pub url: String,
    /// Region of the control bucket, if its name does not contain it.
    pub region: Option<String>,
    /// What the bundle has to be.
    pub demands: Demands,
}

/// The source from which a failover reads its stack.
pub enum Source {
    /// The files of the stack, and the bundle in its control bucket.
    Files(Box<Stack>, Demands),
    /// The bundle alone.
    Bundle(BundleAt),
}

/// Fails if the files name other regions than the stack that was `applied`: the session would look in
/// the regions of the files, and change what was applied in others.
fn same_regions(
    app: &App,
    files: &StackFacts,
    applied: &StackFacts,
    (url, key): (&Url, Option<&PublicKey>),
) -> Result<(), Failure> {
    let regions = |it: &StackFacts| format!("from {} to {}", it.primary, it.standby);
    if regions(files) == regions(applied) {
        return Ok(());
    }
    let message =
        format!("the files say {}, and what was applied fails over {}", regions(files), regions(applied));
    let hint = format!("run {}: it needs no files", by_bundle(app, url, &applied.standby, key));
    Err(Failure::new(Status::NotReady, message, hint))
}

/// Returns the command that fails over by the bundle at `url`, in this region.
fn by_bundle(app: &App, url: &Url, region: &str, key: Option<&PublicKey>) -> String {
    with_bundle("failover", app, url, region, key)
}

/// Returns `command` with the bundle at `url`, in this region.
pub(crate) fn with_bundle(
    command: &str,
    app: &App,
    url: &Url,
    region: &str,
    key: Option<&PublicKey>,
) -> String {
    let Url { control, stack } = url;
    let vouched = key.map_or_else(|| "--unsigned".to_owned(), |key| format!("--verify-key {key}"));
    let options: String = app.typed.iter().map(|word| format!(" {word}")).collect();
    format!("`drstack {command} --bundle s3://{control}/{stack} --region {region} {vouched}{options}`")
}

/// Fails if files of the stack at `url` lead to the bundle of another stack: it has another name in
/// them than it was applied with.
fn same_name(app: &App, bundle: &Bundle, url: &Url, key: Option<&PublicKey>) -> Result<(), Failure> {
    let StackFacts { name, standby, control, .. } = &bundle.stack.facts;
    // Only what a stack may be called goes into a command.
    let is_name = name.chars().all(|it| it.is_ascii_alphanumeric() || it == '-' || it == '_');
    if *name == url.stack || *control != url.control || !is_name || !is_region(standby) {
        return Ok(());
    }
    let message = format!("the files say stack `{}`, and `{control}` is of stack `{name}`", url.stack);
    let applied = Url { control: control.clone(), stack: name.clone() };
    let hint = format!("run {}: it needs no files", by_bundle(app, &applied, standby, key));
    Err(Failure::new(Status::NotReady, message, hint))
}

impl Session {
    /// Opens a session for a failover. It works from the bundle of the last complete apply, even if
    /// the files of the stack have changed, unless the operator trusts those.
    ///
    /// From here on the session calls the standby region only, unless the failover is planned.
    ///
    /// # Errors
    /// Returns an error if the bundle cannot be read or trusted, or its cloud cannot be reached.
    pub async fn for_failover(app: &App, source: Source, trust: &Trust) -> Result<Self, Failure> {
        let (stack, demands) = match source {
            Source::Bundle(at) => {
                let (session, bundle) = Self::from_bundle(app, &at).await?;
                if let Some(stack) =
                    session.began_with(&bundle, None, at.demands.verify_key.as_ref(), trust).await?
                {
                    return Ok(Self { stack, rehearsed: None, ..session }.working_from(bundle, trust.planned));
                }
                Vouched::of(at.demands.verify_key.is_some(), None, &session.stack).expect(&session, trust)?;
                return Ok(session.working_from(bundle, trust.planned));
            }
            Source::Files(stack, demands) => (*stack, demands),
        };
        let session = Self::open(app, stack).await?;
        if !trust.planned {
            session.cloud.restrict_to_standby();
        }
        if trust.without_control {
            return session.without_control(trust.planned).await;
        }
        let StackFacts { name, control, .. } = session.stack.facts.clone();
        let key = demands.verify_key.clone().or(session.stack.signing.clone());
        let url = Url { control, stack: name };
        let components = &app.catalog.components;
        let found = opened(&*session.store, components, &url, key.as_ref()).await;
        if !matches!(found, Ok(Some(_))) {
            session.expect_kept_here(&url, key.as_ref()).await?;
        }
        let found = match found {
            // Whoever damages the bundle keeps nobody from failing over with files of their own.
            Err(failure) if (trust.with_files || trust.unsigned) && session.has_bundle().await => {
                let way = "failing over with the files";
                session.warn(&format!("warning: the bundle cannot be used ({}): {way}", failure.message));
                None
            }
            found => found?,
        };
        let Some((bundle, stack)) = found else {
            return session.without_bundle(&demands, key.as_ref(), trust).await;
        };
        same_regions(app, &session.stack.facts, &stack.facts, (&url, key.as_ref()))?;
        session.show_age(&bundle, key.as_ref(), &demands)?;
        let begun = match trust.with_files {
            true => None,
            false => session.began_with(&bundle, Some(&session.stack), key.as_ref(), trust).await?,
        };
        if let Some(stack) = begun {
            let stack = Stack { secrets: session.stack.secrets.clone(), ..stack };
            return Ok(Self { stack, ..session }.working_from(bundle, trust.planned));
        }
        if !trust.with_files {
            // A writer to the control bucket can write any hash, so the stacks themselves are
            // compared.
            Vouched::of(key.is_some(), Some(&session.stack), &stack).expect(&session, trust)?;
        }
        if stack.hash != session.stack.hash {
            let which = match trust.with_files {
                true => "with the files, as you asked",
                false => "with what was applied (`--with-files` takes the files)",
            };
            session.note(&format!(
                "The files of the stack have changed since it was last applied ({:.0}): failing over {which}.",
                bundle.applied_at
            ));
        }
        if trust.with_files {
            session.expect_all_of(&stack, &bundle.facts)?;
            return Ok(session.working_from(bundle, trust.planned));
        }
        // The bundle has no secret texts. Those of the files serve where they are the same, by their hash.
        let stack = Stack { secrets: session.stack.secrets.clone(), ..stack };
        Ok(Self { stack, ..session }.remembering(&bundle).working_from(bundle, trust.planned))
    }

    /// Fails if nothing usable is in the control bucket of the files because the stack has another one,
    /// or the bucket has another stack.
    async fn expect_kept_here(&self, url: &Url, key: Option<&PublicKey>) -> Result<(), Failure> {
        let StackFacts { name, standby, control, .. } = &self.stack.facts;
        // What cannot be read says nothing: the failure to read the bundle counts.
        if let Ok(Some(bytes)) = published::bundle(&*self.store).await
            && let Ok(bundle) = Bundle::from_bytes(&bytes)
        {
            same_name(&self.app, &bundle, url, key)?;
        }
        let kept = testimony(&*self.cloud, &self.scope).await.ok().flatten();
        let Some(kept) = kept.filter(|it| it.control != *control && is_bucket_name(&it.control)) else {
            return Ok(());
        };
        let message = format!(
            "the files say `control = \"{control}\"`, and `{}` in {standby} that the stack is kept in `{}`",
            record::name(name),
            kept.control
        );
        let url = Url { control: kept.control, stack: name.clone() };
        let hint = format!(
            "run {}: it needs no files; where that bucket is lost, add `--without-control` to this command",
            by_bundle(&self.app, &url, standby, key)
        );
        Err(Failure::new(Status::NotReady, message, hint))
    }

    /// True if the files say something else than what was applied, and no key of theirs signed that: a
    /// failover then asks which is meant. False where that cannot be told.
    pub(crate) async fn differs_from_applied(&self) -> bool {
        let StackFacts { name, control, .. } = self.stack.facts.clone();
        let url = Url { control, stack: name };
        let components = &self.app.catalog.components;
        let opened = opened(&*self.store, components, &url, self.stack.signing.as_ref()).await;
        let applied = opened.ok().flatten().filter(|_| self.stack.signing.is_none());
        applied.is_some_and(|(_, applied)| !self.stack.resolve().differences(&applied.resolve()).is_empty())
    }

    /// Returns when the stack was last applied as a whole, and what the files say otherwise; `None` if
    /// no apply was ever complete.
    ///
    /// # Errors
    /// Returns an error if the bundle cannot be read or trusted.
    pub(crate) async fn changed_since_applied(&self) -> Result<Option<(Timestamp, Vec<String>)>, Failure> {
        if let Err(StoreError::NoBucket { .. }) = published::bundle(&*self.store).await {
            return Ok(None);
        }
        let StackFacts { name, control, .. } = self.stack.facts.clone();
        let url = Url { control, stack: name };
        let components = &self.app.catalog.components;
        // A key that the files name first is a change of the files.
        let found = match opened(&*self.store, components, &url, self.stack.signing.as_ref()).await {
            Err(_) => opened(&*self.store, components, &url, None).await?,
            found => found?,
        };
        Ok(found.map(|(bundle, applied)| {
            (bundle.applied_at, self.stack.resolve().differences(&applied.resolve()))
        }))
    }

    /// True if the control bucket has a bundle, whatever is in it. False where nobody could look.
    pub(crate) async fn has_bundle(&self) -> bool {
        self.lacks_bundle().await.is_ok_and(|lacks| !lacks)
    }

    /// True if there is certainly no bundle.
    ///
    /// # Errors
    /// Returns the error of the control bucket.
    pub async fn lacks_bundle(&self) -> Result<bool, Failure> {
        match published::bundle(&*self.store).await {
            Ok(bundle) => Ok(bundle.is_none()),
            Err(StoreError::NoBucket { .. }) => Ok(true),
            Err(error) => Err(store_failure(&error)),
        }
    }

    /// Returns the bundle, if there is one that can be read, whoever signed it.
    pub(crate) async fn published(&self) -> Option<Bundle> {
        let bytes = published::bundle(&*self.store).await.ok().flatten()?;
        Bundle::from_bytes(&bytes).ok()
    }

    /// Prepares a failover without a bundle: with the files, and with what the primary last said.
    async fn without_bundle(
        mut self,
        demands: &Demands,
        key: Option<&PublicKey>,
        trust: &Trust,
    ) -> Result<Self, Failure> {
        if !trust.unsigned && !trust.planned && !trust.dry_run && !trust.watch {
            demands.accept_none(key, &self.stack.facts.control)?;
        }
        if !trust.watch {
            self.warn(
                "warning: there is no bundle of a complete apply to work from (none was complete, a destroy removed it, or it is damaged): failing over with what there is",
            );
        }
        self.decisions.files_alone = true;
        if trust.planned {
            return Ok(self);
        }
        let kept = self.kept_facts().await?;
        let alone = Some(RecoveryInputs { facts: kept.facts, known: BTreeMap::new(), run: None });
        Ok(Self { alone, ..self })
    }

    /// Restricts an unplanned failover to the facts in the bundle; a planned failover asks the
    /// primary.
    fn working_from(self, bundle: Bundle, is_planned: bool) -> Self {
        if is_planned {
            return self;
        }
        self.cloud.restrict_to_standby();
        let Bundle { facts, elsewhere, data, run, .. } = bundle;
        let known = elsewhere.into_iter().chain(data).collect();
        Self { alone: Some(RecoveryInputs { facts, known, run: Some(run) }), ..self }
    }

    /// Keeps the rehearsal that the bundle holds.
    fn remembering(self, bundle: &Bundle) -> Self {
        let skeleton = bundle.rehearsed.clone();
        Self { rehearsed: skeleton.map(|skeleton| Rehearsed { at: bundle.applied_at, skeleton }), ..self }
    }

    /// Opens a session from the bundle at this URL, and returns both. Neither files of the stack
    /// nor the primary region are needed.
    ///
    /// # Errors
    /// Returns an error if the bundle cannot be read or trusted, or its cloud cannot be reached.
    pub async fn from_bundle(app: &App, at: &BundleAt) -> Result<(Self, Bundle), Failure> {
        let url = Url::parse(&at.url)?;
        let _busy = app.operator.busy(format!("Reading the bundle in `{}`", url.control));
        let found = {
            let region = at.region.as_deref().or(url.region()).ok_or_else(|| {
                let hint = "name the standby region, where the control bucket lies: `--region us-west-2`";
                let message = format!("the name of `{}` does not say its region", url.control);
                Failure::new(Status::Usage, message, hint)
            })?;
            // The store is dropped before the stack's own cloud is opened: a simulated cloud can be
            // open only once.
            let store = Patient::of(app.clouds.control(&url.control, &url.stack, region).await?);
            opened(&*store, &app.catalog.components, &url, at.demands.verify_key.as_ref()).await?
        };
        let Some((bundle, stack)) = found else {
            let message = format!("there is no bundle in `{}`", url.control);
            let hint =
                "each complete `drstack apply` publishes it; without one, `STACK` names the stack's folder";
            return Err(Failure::new(Status::Failed, message, hint));
        };
        if bundle.drstack != env!("CARGO_PKG_VERSION") {
            app.operator.note(&format!(
                "The bundle was published by drstack {}, this is {}.",
                bundle.drstack,
                env!("CARGO_PKG_VERSION")
            ));
        }
        tracing::debug!(run = bundle.run, applied_at = %bundle.applied_at, "opened the bundle");
        let session = Self::open(app, stack).await?;
        session.show_age(&bundle, at.demands.verify_key.as_ref(), &at.demands)?;
        Ok((session.remembering(&bundle), bundle))
    }

    /// Shows the age of the bundle, and warns of an old one. Fails if it is older than the operator
    /// accepts. A signed bundle need not be the newest.
    fn show_age(&self, bundle: &Bundle, own: Option<&PublicKey>, demands: &Demands) -> Result<(), Failure> {
        let now = self.now();
        self.note(&age(bundle, own, now));
        demands.expect_fresh(bundle, now)?;
        if let Some(doubt) = doubt(bundle, now).filter(|_| demands.not_before.is_none()) {
            self.warn(&doubt);
        }
        Ok(())
    }

    /// Prepares a failover that works from the files of the stack alone, since the control bucket
    /// is lost.
    async fn without_control(mut self, is_planned: bool) -> Result<Self, Failure> {
        let is_kept = async || {
            let bundle = self.store.get("bundle.json").await?;
            let facts = self.store.get("facts.json").await?;
            // A run that has just begun has a lock in the bucket, and nothing else.
            let lock = holder(&*self.store).await;
            Ok(bundle.or(facts).is_some() || !matches!(lock, Ok(None)))
        };
        match is_kept().await {
            // An emptied bucket counts as a lost one.
            Err(StoreError::NoBucket { .. } | StoreError::Cloud(_)) | Ok(false) => {}
            Ok(true) => {
                let message = format!("the control bucket `{}` answers", self.stack.facts.control);
                return Err(Failure::new(Status::Usage, message, "leave `--without-control` out"));
            }
            Err(error) => return Err(store_failure(&error)),
        }
        self.warn(
            "warning: failing over without the control bucket: no lock keeps other runs out, nothing is kept of this one, and what the primary last said is lost",
        );
        self.store = Arc::new(Unkept::default());
        self.decisions.without_control = true;
        self.decisions.files_alone = true;
        if !is_planned {
            self.alone = Some(RecoveryInputs { facts: Facts::default(), known: BTreeMap::new(), run: None });
        }
        Ok(self)
    }
}

/// A bundle with its stack.
type Opened = (Bundle, Stack);

/// Reads the published bundle and checks it; `None` if none is published.
///
/// A refused bundle is read again: the answer may be garbled, and not the object.
async fn opened(
    store: &dyn ControlStore,
    components: &ComponentRegistry,
    url: &Url,
    verify_key: Option<&PublicKey>,
) -> Result<Option<Opened>, Failure> {
    let mut last: Option<Vec<u8>> = None;
    for _ in 1..GARBLED {
        let Some(bytes) = published::bundle(store).await.map_err(|error| store_failure(&error))? else {
            return Ok(None);
        };
        match checked(store, components, url, verify_key, &bytes).await {
            Err(_) if last.as_ref() != Some(&bytes) => last = Some(bytes),
            settled => return settled.map(Some),
        }
    }
    let failure = Failure::new(Status::Failed, "the bundle differs each time that it is read", "run again");
    Err(failure)
}

/// Checks a bundle of these bytes.
async fn checked(
    store: &dyn ControlStore,
    components: &ComponentRegistry,
    url: &Url,
    verify_key: Option<&PublicKey>,
    bytes: &[u8],
) -> Result<Opened, Failure> {
    let check = async |key: &PublicKey| {
        let signatures = published::signatures(store).await.map_err(|error| store_failure(&error))?;
        key.check(bytes, &signatures).map_err(|error| refused(&error.into()))
    };
    // The caller's key comes first: a bundle that it has not signed is not even parsed.
    if let Some(key) = verify_key {
        check(key).await?;
    }
    let bundle = Bundle::from_bytes(bytes).map_err(|error| refused(&error))?;
    if let (None, Some(key)) = (verify_key, &bundle.stack.signing) {
        check(key).await?;
    }
    let stack = bundle.is_of(&url.stack, &url.control).and_then(|()| bundle.stack(components));
    Ok((bundle, stack.map_err(|error| refused(&error))?))
}

/// Returns the failure for a bundle that cannot be used.
pub(crate) fn refused(error: &BundleError) -> Failure {
    Failure::new(Status::Failed, error, error.hint())
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
