//! Where a bucket lies, asked of S3 in a way that no single region's loss can spoil.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::operation::head_bucket::HeadBucketError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use drstack_core::cloud::CloudError;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::clients::{s3_client, timeouts};
use super::errors::classify;

/// Asked at once where the environment names no region, or that region does not answer: S3 of any region knows where
/// every bucket lies, and these do not fail together. The first answer counts.
const ASKED: [&str; 4] = ["us-west-2", "eu-west-1", "us-east-2", "ap-northeast-1"];

/// Attempts of each: another region is asked instead of asking again.
const ATTEMPTS: u32 = 1;

const OPERATION: &str = "s3:ListBucket";

/// What S3 says beside every answer about a bucket, a refusal too.
const HEADER: &str = "x-amz-bucket-region";

/// The region of `bucket`: what the environment's own region says, else what any of some others says first.
///
/// # Errors
/// [`CloudError::Invalid`] where there is no such bucket, else what the last of those asked said.
pub async fn region_of(bucket: &str) -> Result<String, CloudError> {
    let own = ["AWS_REGION", "AWS_DEFAULT_REGION"].iter().find_map(|name| std::env::var(name).ok());
    let own = own.filter(|it| !it.is_empty());
    let config = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(own.clone().unwrap_or_else(|| ASKED[0].to_owned())))
        .timeout_config(timeouts())
        .load()
        .await;
    let mut last = None;
    if let Some(own) = &own {
        match ask(&config, own, bucket).await {
            Err(error) if error.is_transient() => last = Some(error),
            answer => return answer,
        }
    }
    let others = ASKED.iter().filter(|region| own.as_deref() != Some(**region));
    let mut answers: FuturesUnordered<_> = others.map(|region| ask(&config, region, bucket)).collect();
    while let Some(answer) = answers.next().await {
        match answer {
            Err(error) if error.is_transient() => last = Some(error),
            answer => return answer,
        }
    }
    Err(last.unwrap_or_else(|| nowhere(bucket)))
}

async fn ask(config: &SdkConfig, region: &str, bucket: &str) -> Result<String, CloudError> {
    let answer = s3_client(config, region, ATTEMPTS).head_bucket().bucket(bucket).send().await;
    answered(region, bucket, answer.map(|it| it.bucket_region))
}

/// What an answer from `region` says. A server that names no region has the bucket where it was asked.
fn answered(
    region: &str,
    bucket: &str,
    answer: Result<Option<String>, SdkError<HeadBucketError, HttpResponse>>,
) -> Result<String, CloudError> {
    let error = match answer {
        Ok(named) => return Ok(named.unwrap_or_else(|| region.to_owned())),
        Err(error) => error,
    };
    let raw = match &error {
        SdkError::ServiceError(refusal) => Some(refusal.raw()),
        SdkError::ResponseError(refusal) => Some(refusal.raw()),
        _ => None,
    };
    match raw.and_then(|raw| raw.headers().get(HEADER)) {
        // Not where it was asked, or not for these credentials: it is named all the same.
        Some(named) => Ok(named.to_owned()),
        None if raw.is_some_and(|raw| raw.status().as_u16() == 404) => Err(nowhere(bucket)),
        None => Err(classify(OPERATION, region, &error)),
    }
}

fn nowhere(bucket: &str) -> CloudError {
    CloudError::Invalid {
        operation: OPERATION.to_owned(),
        code: "NoSuchBucket".to_owned(),
        message: format!("there is no bucket `{bucket}`"),
    }
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::http::{Response, StatusCode};
    use aws_smithy_types::body::SdkBody;

    use super::*;

    fn refusal(status: u16, named: Option<&'static str>) -> SdkError<HeadBucketError, HttpResponse> {
        let mut raw = Response::new(StatusCode::try_from(status).unwrap(), SdkBody::empty());
        if let Some(named) = named {
            raw.headers_mut().insert(HEADER, named);
        }
        SdkError::service_error(HeadBucketError::unhandled("refused"), raw)
    }

    #[test]
    fn a_refusal_names_the_region_too() {
        let west = |answer| answered("eu-west-1", "control", answer).unwrap();
        assert_eq!(west(Ok(Some("us-west-2".to_owned()))), "us-west-2");
        assert_eq!(west(Ok(None)), "eu-west-1");
        for status in [301, 403, 400] {
            assert_eq!(west(Err(refusal(status, Some("us-west-2")))), "us-west-2");
        }
    }

    #[test]
    fn absent_and_could_not_look_are_told_apart() {
        let error = |error| answered("eu-west-1", "control", Err(error)).unwrap_err();
        assert!(matches!(error(refusal(404, None)), CloudError::Invalid { .. }));
        assert!(error(refusal(503, None)).is_transient());
        let dead = SdkError::timeout_error("no answer");
        assert!(matches!(error(dead), CloudError::Unreachable { .. }));
    }
}
