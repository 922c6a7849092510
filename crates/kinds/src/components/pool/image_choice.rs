//! `image` of a pool: one of the stack, or one of the standby region.

use drstack_core::component::Ref;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::components::Image;

/// An image of the stack, or one of the standby region.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ImageChoice {
    /// `"@image.NAME"`
    Stack(Ref<Image>),
    /// `"ami-..."`
    Standby(String),
}

impl TryFrom<String> for ImageChoice {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.starts_with("ami-") {
            return Ok(Self::Standby(text));
        }
        let reference: Result<Ref<Image>, serde::de::value::Error> =
            Ref::deserialize(serde::de::value::StringDeserializer::new(text.clone()));
        reference.map(Self::Stack).map_err(|_| {
            format!("expected `\"@image.NAME\"` or an id of the standby region such as `\"ami-0abc\"`, found `\"{text}\"`")
        })
    }
}

impl From<ImageChoice> for String {
    fn from(choice: ImageChoice) -> Self {
        match choice {
            ImageChoice::Stack(reference) => format!("{reference:?}"),
            ImageChoice::Standby(id) => id,
        }
    }
}

impl JsonSchema for ImageChoice {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ImageChoice".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^(@(module\.[^.]+\.)?[a-z-]+\..+|ami-.+|.*\$\{.*)$",
            "description": "\"@image.NAME\", or the id of an image of the standby region",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_a_reference_or_an_id() {
        let choice = |text: &str| ImageChoice::try_from(text.to_owned());
        assert!(matches!(choice("@image.base"), Ok(ImageChoice::Stack(_))));
        assert!(matches!(choice("ami-0abc"), Ok(ImageChoice::Standby(_))));
        assert!(choice("@bucket.models").is_err() && choice("ubuntu").is_err());
    }
}
