use drstack_core::cloud::{Call, CloudError};

use super::{WriterFence, WriterFenceLive, WriterFenceSpec, policy};
use crate::aws::{Looked, Seen, SettingDriver, Target, each, setting};
use crate::services::iam::calls as iam;

/// Returns the policy's name, which contains the stack's: several stacks may fence one role.
fn name(at: &Target<'_>) -> String {
    format!("drstack-{}-deny-writers", at.scope.stack)
}

impl SettingDriver for WriterFence {
    async fn read(at: &Target<'_>, ids: &[String]) -> Looked<WriterFenceLive> {
        each(ids, |role| async move {
            let policy = iam::inline_policy(at, &role, &name(at)).await?;
            Ok(policy.map(|policy| seen(&role, WriterFenceLive { policy })))
        })
        .await
    }

    /// Reads the policy of an existing role. drstack never creates the role, which the user owns.
    async fn create(
        at: &Target<'_>,
        _: &Call,
        spec: &WriterFenceSpec,
    ) -> Result<Seen<WriterFenceLive>, CloudError> {
        let found = iam::inline_policy(at, &spec.role, &name(at)).await?;
        let policy = found.ok_or_else(|| CloudError::Invalid {
            operation: "iam:GetRole".to_owned(),
            code: "NoSuchEntity".to_owned(),
            message: format!("there is no role `{}` to fence", spec.role),
        })?;
        Ok(seen(&spec.role, WriterFenceLive { policy }))
    }

    async fn update(at: &Target<'_>, _: &Call, role: &str, spec: &WriterFenceSpec) -> Result<(), CloudError> {
        match spec.denied {
            true => iam::put_inline_policy(at, role, &name(at), &policy(spec)).await,
            false => iam::delete_inline_policy(at, role, &name(at)).await,
        }
    }
}

fn seen(role: &str, live: WriterFenceLive) -> Seen<WriterFenceLive> {
    setting(role.to_owned(), live)
}
