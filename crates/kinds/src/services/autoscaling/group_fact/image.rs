//! The image of a followed group, which its template names by id or through a parameter of Systems
//! Manager.

use std::collections::{BTreeMap, BTreeSet};

use drstack_core::cloud::CloudError;
use serde::{Deserialize, Serialize};

use crate::services::ec2::image_fact::ImageFact;

/// Prefix of an image that a parameter of Systems Manager names
/// (EC2 User Guide, "Use a Systems Manager parameter instead of an AMI ID").
const ALIAS: &str = "resolve:ssm:";

/// The image of a group.
///
/// A pool with an image of its own does not need it, so a group without one can be followed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum GroupImage {
    /// It exists.
    Found(ImageFact),
    /// There is none that could be copied.
    Missing {
        /// Why.
        no_image: String,
    },
}

/// The values of the parameters that templates name; none for one that does not exist.
pub type Parameters = BTreeMap<String, Result<Option<String>, CloudError>>;

/// Returns the parameters that have to be read for these images.
pub fn parameters<'a>(named: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    named.into_iter().filter_map(|it| it.strip_prefix(ALIAS)).map(str::to_owned).collect()
}

/// Returns the ids of these images, without those whose parameter has no value.
pub fn ids<'a>(named: impl IntoIterator<Item = &'a str>, parameters: &Parameters) -> BTreeSet<String> {
    let id = |named: &str| match named.strip_prefix(ALIAS) {
        Some(parameter) => parameters.get(parameter)?.clone().ok().flatten(),
        None => Some(named.to_owned()),
    };
    named.into_iter().filter_map(id).collect()
}

impl GroupImage {
    /// Returns the image that a template names.
    ///
    /// # Errors
    /// Returns the error of a parameter that may be read later without any change.
    pub fn of(
        named: &str,
        parameters: &Parameters,
        images: &BTreeMap<String, ImageFact>,
    ) -> Result<Self, CloudError> {
        let missing = |no_image: String| Ok(Self::Missing { no_image });
        let id = match named.strip_prefix(ALIAS) {
            None => named.to_owned(),
            Some(parameter) => match parameters.get(parameter) {
                Some(Ok(Some(id))) => id.clone(),
                Some(Err(error)) if error.is_transient() => return Err(error.clone()),
                Some(Err(error)) => return missing(format!("its image is `{named}`, and {error}")),
                Some(Ok(None)) | None => {
                    return missing(format!("its image is `{named}`, and there is no such parameter"));
                }
            },
        };
        match images.get(&id) {
            Some(image) => Ok(Self::Found(image.clone())),
            None if id.is_empty() => missing("its launch template names no image".to_owned()),
            None if id != named => {
                missing(format!("its image is `{named}`, which is `{id}`, and that does not exist"))
            }
            None => missing(format!("its image `{id}` does not exist")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const GOLDEN: &str = "resolve:ssm:/golden/inference";

    fn image(id: &str) -> ImageFact {
        serde_json::from_value(json!({"id": id, "name": "base", "owned": true, "standby": null})).unwrap()
    }

    /// Returns the image of a template that names [`GOLDEN`], whose parameter was read so.
    fn golden(read: Result<Option<&str>, CloudError>) -> Result<GroupImage, CloudError> {
        let parameters = [("/golden/inference".to_owned(), read.map(|id| id.map(str::to_owned)))].into();
        GroupImage::of(GOLDEN, &parameters, &[("ami-7".to_owned(), image("ami-7"))].into())
    }

    fn missing(found: Result<GroupImage, CloudError>) -> String {
        match found {
            Ok(GroupImage::Missing { no_image }) => no_image,
            other => panic!("{other:?}"),
        }
    }

    /// C4
    #[test]
    fn a_parameter_names_the_image_that_is_followed() {
        assert_eq!(golden(Ok(Some("ami-7"))), Ok(GroupImage::Found(image("ami-7"))));
        let named = [GOLDEN, "ami-1", "resolve:ssm:base:3"];
        assert_eq!(parameters(named), ["/golden/inference".to_owned(), "base:3".to_owned()].into());
        let read =
            [("/golden/inference".to_owned(), Ok(Some("ami-7".to_owned()))), ("base:3".to_owned(), Ok(None))];
        assert_eq!(ids(named, &read.into()), ["ami-1".to_owned(), "ami-7".to_owned()].into());
    }

    /// C4, E6
    #[test]
    fn a_parameter_that_cannot_be_followed_says_why() {
        let operation = "ssm:GetParameters".to_owned();
        let denied = CloudError::Denied { operation: operation.clone(), message: "no".to_owned() };
        assert!(missing(golden(Err(denied))).ends_with("and ssm:GetParameters was denied: no"));
        assert!(
            missing(golden(Ok(None)))
                .ends_with("`resolve:ssm:/golden/inference`, and there is no such parameter")
        );
        assert!(missing(golden(Ok(Some("ami-8")))).ends_with("which is `ami-8`, and that does not exist"));
        let throttled = CloudError::Throttled { operation };
        assert_eq!(golden(Err(throttled.clone())), Err(throttled), "the earlier answer counts until then");
    }

    #[test]
    fn a_fact_of_an_older_version_has_its_image() {
        let older = json!({"id": "ami-1", "name": "base", "owned": true, "standby": null});
        assert_eq!(GroupImage::deserialize(&older).unwrap(), GroupImage::Found(image("ami-1")));
        let none = GroupImage::Missing { no_image: "gone".to_owned() };
        assert_eq!(GroupImage::deserialize(serde_json::to_value(&none).unwrap()).unwrap(), none);
    }
}
