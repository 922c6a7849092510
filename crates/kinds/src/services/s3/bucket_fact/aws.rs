use drstack_core::cloud::{CloudError, Owner};

use super::BucketFact;
use crate::aws::{Ask, Target};
use crate::services::s3::bucket::MANAGED;
use crate::services::s3::calls as s3;
use crate::services::s3::calls::{Replication, Versioning};
use crate::services::s3::replication_rule;

mod not_carried;

use not_carried::not_carried;

impl Ask for BucketFact {
    async fn ask(at: &Target<'_>, name: &str) -> Result<Option<BucketFact>, CloudError> {
        let Some(versioning) = s3::versioning(at, name).await? else { return Ok(None) };
        let settings = async { Ok(not_carried(at, name).await) };
        let (encryption, replication, not_carried) =
            tokio::try_join!(s3::encryption(at, name), replication_rule::config(at, name), settings)?;
        at.aws.told.get::<Versioning>().0.put(name, versioning);
        at.aws.told.get::<Replication>().0.put(name, replication.clone());
        let is_foreign =
            |id: Option<&str>| replication_rule::whose(at.scope, id.unwrap_or_default()) == Owner::Foreign;
        let older_rule = replication.as_ref().and_then(|(_, rules)| {
            let older = rules.iter().find(|rule| rule.filter.is_none() && is_foreign(rule.id.as_deref()))?;
            Some(older.id.clone().unwrap_or_default())
        });
        let foreign = replication.filter(|(role, rules)| {
            !replication_rule::is_own_role(at, role)
                && rules.iter().any(|rule| is_foreign(rule.id.as_deref()))
        });
        let kms_key = Some(encryption).filter(|it| !it.is_empty() && it != MANAGED);
        let foreign_role = foreign.map(|(role, _)| role);
        Ok(Some(BucketFact { versioning, foreign_role, kms_key, older_rule, not_carried }))
    }
}
