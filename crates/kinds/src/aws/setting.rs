//! Drivers of settings. A setting on a user's object has no owner, is not listed and never deleted.

use drstack_core::cloud::{Call, CloudError, Owner};
use drstack_core::kind::{FieldChange, Kind, Role};

use super::{Driver, Looked, Seen, Target, each};

/// The calls of a [`Role::Setting`].
pub trait SettingDriver: Kind {
    /// Reads it, like [`Driver::read`].
    fn read(at: &Target<'_>, ids: &[String]) -> impl Future<Output = Looked<Self::Live>> + Send;
    /// Creates it, like [`Driver::create`].
    fn create(
        at: &Target<'_>,
        call: &Call,
        spec: &Self::Spec,
    ) -> impl Future<Output = Result<Seen<Self::Live>, CloudError>> + Send;
    /// Updates it, like [`Driver::update`].
    fn update(
        at: &Target<'_>,
        call: &Call,
        id: &str,
        spec: &Self::Spec,
    ) -> impl Future<Output = Result<(), CloudError>> + Send;
}

impl<K: SettingDriver> Driver for K {
    async fn read(at: &Target<'_>, ids: &[String]) -> Looked<K::Live> {
        const { assert!(matches!(K::ROLE, Role::Setting), "only settings go without listing and deletion") };
        <K as SettingDriver>::read(at, ids).await
    }

    async fn list_owned(_: &Target<'_>, _: &[String]) -> Result<Vec<Seen<K::Live>>, CloudError> {
        Ok(Vec::new())
    }

    async fn create(at: &Target<'_>, call: &Call, spec: &K::Spec) -> Result<Seen<K::Live>, CloudError> {
        <K as SettingDriver>::create(at, call, spec).await
    }

    async fn update(
        at: &Target<'_>,
        call: &Call,
        id: &str,
        spec: &K::Spec,
        _: &[FieldChange],
    ) -> Result<(), CloudError> {
        <K as SettingDriver>::update(at, call, id, spec).await
    }

    async fn delete(_: &Target<'_>, _: &Call, _: &str) -> Result<(), CloudError> {
        Ok(())
    }
}

/// The calls of a setting that drstack enables and never disables. Its id is the name of the object
/// it belongs to.
pub trait SwitchDriver: Kind {
    /// Reads it; `None` if its object does not exist.
    fn look(at: &Target<'_>, id: &str)
    -> impl Future<Output = Result<Option<Self::Live>, CloudError>> + Send;
    /// Enables it.
    fn switch_on(at: &Target<'_>, id: &str) -> impl Future<Output = Result<(), CloudError>> + Send;
}

impl<K: SwitchDriver> SettingDriver for K {
    async fn read(at: &Target<'_>, ids: &[String]) -> Looked<K::Live> {
        each(ids, |id| async move { Ok(K::look(at, &id).await?.map(|live| setting(id, live))) }).await
    }

    async fn create(at: &Target<'_>, call: &Call, spec: &K::Spec) -> Result<Seen<K::Live>, CloudError> {
        let unnamed = || CloudError::Other {
            operation: "create".to_owned(),
            message: format!("{} has no name to be switched on under", call.address),
        };
        let id = call.name.clone().ok_or_else(unnamed)?;
        K::switch_on(at, &id).await?;
        let live = K::expect(spec, &id);
        Ok(setting(id, live))
    }

    async fn update(at: &Target<'_>, _: &Call, id: &str, _: &K::Spec) -> Result<(), CloudError> {
        K::switch_on(at, id).await
    }
}

/// Returns a setting as it was read.
pub(crate) fn setting<L>(id: String, live: L) -> Seen<L> {
    Seen { id, owner: Owner::Setting, live }
}
