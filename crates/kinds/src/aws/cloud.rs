//! AWS as the core's cloud.

use std::collections::BTreeSet;
use std::sync::Arc;

use drstack_core::calls::{CallNote, Calls, GLOBAL, RefusedCall};
use drstack_core::cloud::{Call, Captured, Cloud, CloudError, Found, Presence, Read, Scope};
use drstack_core::control::ControlStore;
use drstack_core::control::lease::Permit;
use drstack_core::facts::FactQuery;
use drstack_core::kind::{FieldChange, Place};
use drstack_core::sides::{Copied, Sides};
use drstack_core::supply::{Supply, Wanted};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde_json::Value;

use super::drivers::DynDriver;
use super::store::Store;
use super::{Aws, Target, capture};
use crate::resources::driver;

impl Aws {
    fn target<'a>(self: &'a Arc<Self>, scope: &'a Scope, place: Place) -> Target<'a> {
        Target { aws: self, scope, place, region: scope.region(place) }
    }
}

/// AWS as a [`Cloud`]; cheap to clone.
#[derive(Clone)]
pub struct AwsCloud(Arc<Aws>);

impl AwsCloud {
    /// Creates the cloud from these clients.
    pub fn new(aws: Aws) -> Self {
        Self(Arc::new(aws))
    }
}

fn known(kind: &'static str) -> Result<&'static dyn DynDriver, CloudError> {
    driver(kind).ok_or_else(|| CloudError::Other {
        operation: kind.to_owned(),
        message: format!("this build cannot drive `{kind}` on AWS"),
    })
}

impl Cloud for AwsCloud {
    fn read<'a>(
        &'a self,
        kind: &'static str,
        scope: &'a Scope,
        place: Place,
        ids: &'a [String],
    ) -> BoxFuture<'a, Read> {
        Box::pin(async move {
            match known(kind) {
                Ok(driver) => driver.read(&self.0.target(scope, place), ids).await,
                Err(error) => ids.iter().map(|_| Err(error.clone())).collect(),
            }
        })
    }

    fn exist<'a>(
        &'a self,
        kind: &'static str,
        scope: &'a Scope,
        place: Place,
        ids: &'a [String],
    ) -> BoxFuture<'a, Vec<Result<Presence, CloudError>>> {
        Box::pin(async move {
            match known(kind) {
                Ok(driver) => driver.exist(&self.0.target(scope, place), ids).await,
                Err(error) => ids.iter().map(|_| Err(error.clone())).collect(),
            }
        })
    }

    fn list_owned<'a>(
        &'a self,
        kind: &'static str,
        scope: &'a Scope,
        place: Place,
        except: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<Found>, CloudError>> {
        Box::pin(async move { known(kind)?.list_owned(&self.0.target(scope, place), except).await })
    }

    fn create<'a>(
        &'a self,
        kind: &'static str,
        call: &'a Call,
        spec: &'a Value,
    ) -> BoxFuture<'a, Result<Found, CloudError>> {
        Box::pin(
            async move { known(kind)?.create(&self.0.target(&call.scope, call.place), call, spec).await },
        )
    }

    fn update<'a>(
        &'a self,
        kind: &'static str,
        call: &'a Call,
        id: &'a str,
        spec: &'a Value,
        changes: &'a [FieldChange],
    ) -> BoxFuture<'a, Result<(), CloudError>> {
        Box::pin(async move {
            known(kind)?.update(&self.0.target(&call.scope, call.place), call, id, spec, changes).await
        })
    }

    fn delete<'a>(
        &'a self,
        kind: &'static str,
        call: &'a Call,
        id: &'a str,
    ) -> BoxFuture<'a, Result<(), CloudError>> {
        Box::pin(async move { known(kind)?.delete(&self.0.target(&call.scope, call.place), call, id).await })
    }

    fn capture<'a>(
        &'a self,
        scope: &'a Scope,
        query: &'a FactQuery,
    ) -> BoxFuture<'a, Result<Option<Captured>, CloudError>> {
        Box::pin(async move {
            let queries = std::slice::from_ref(query);
            let answers = capture::capture_all(&self.0.target(scope, query.place), queries).await;
            answers.into_iter().next().unwrap_or_else(|| Err(capture::unanswered(query)))
        })
    }

    fn capture_all<'a>(
        &'a self,
        scope: &'a Scope,
        queries: &'a [FactQuery],
    ) -> BoxFuture<'a, Vec<Result<Option<Captured>, CloudError>>> {
        Box::pin(async move {
            self.0.told.clear();
            capture::capture_all(&self.0.target(scope, Place::Primary), queries).await
        })
    }

    fn sides<'a>(
        &'a self,
        scope: &'a Scope,
        copied: &'a Copied,
        since: Option<Timestamp>,
    ) -> BoxFuture<'a, Result<Sides, CloudError>> {
        Box::pin(async move {
            let [primary, standby] = [Place::Primary, Place::Standby].map(|it| self.0.target(scope, it));
            known(copied.kind)?.sides(&primary, &standby, copied, since).await
        })
    }

    fn supply<'a>(&'a self, scope: &'a Scope, wanted: &'a [Wanted]) -> BoxFuture<'a, Supply> {
        Box::pin(async move {
            crate::services::ec2::supply::aws::supply(&self.0.target(scope, Place::Standby), wanted).await
        })
    }

    fn control(&self, scope: &Scope, bucket: &str) -> Arc<dyn ControlStore> {
        Arc::new(Store::new(Arc::clone(&self.0), scope.clone(), bucket))
    }

    fn record_kind(&self) -> &'static str {
        <crate::resources::Parameter as drstack_core::kind::Kind>::NAME
    }

    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

impl Calls for AwsCloud {
    /// Counts throttled calls of the kind's services in the region of `place`, which is how EC2 and
    /// similar services count.
    fn throttled(&self, kind: &str, scope: &Scope, place: Place) -> u64 {
        let kinds = crate::kinds();
        let operations = kinds.get(kind).map_or(&[][..], |kind| kind.operations());
        let services: BTreeSet<&str> = operations.iter().map(|it| it.service).collect();
        let regions = [scope.region(place), GLOBAL];
        let by = services.iter().flat_map(|service| regions.iter().map(move |region| (service, region)));
        by.map(|(service, region)| self.0.log.throttled(service, region)).sum()
    }

    fn under(&self, permit: Option<Permit>) {
        self.0.log.under(permit);
    }

    fn restrict_to_standby(&self) {
        self.0.log.restrict_to_standby(&self.0.standby_region);
    }

    fn refused(&self) -> Vec<RefusedCall> {
        self.0.log.refused()
    }

    fn calls(&self) -> Vec<CallNote> {
        self.0.log.notes()
    }

    fn warnings(&self) -> Vec<String> {
        self.0.warnings()
    }
}
