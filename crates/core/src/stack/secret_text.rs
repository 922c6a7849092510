//! Texts that may hold secrets: a spec carries the hash, and only this run knows the text.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::decode::At;
use super::load::{Loader, normal};
use crate::component::SecretText;

impl Loader<'_> {
    /// Replaces `secret` in `table` by its hash.
    pub(super) fn hide(&mut self, secret: &SecretText, table: &mut DeTable<'static>, folder: &Path, at: &At) {
        let SecretText { hashed, field, file, noun, service, most, help } = secret;
        if let Some((key, _)) = table.remove_entry(*hashed) {
            let help = format!("write `{field}` or `{file}`; drstack makes the hash");
            let message = format!("`{hashed}` is not yours to write");
            self.problems.push(at.error("DR005", key.span(), message, help));
        }
        let named = self.text(table, file, at);
        let text = self.text(table, field, at);
        if let (Some(named), Some(_)) = (&named, &text) {
            let message = format!("`{field}` and `{file}` are both given");
            self.problems.push(at.error(
                "DR013",
                named.span(),
                message,
                "leave one of the two out".to_owned(),
            ));
        }
        let text = match named {
            None => text,
            Some(named) => {
                let path = normal(&folder.join(named.get_ref()));
                match self.files.read(&path) {
                    Ok(read) => Some(Spanned::new(named.span(), read)),
                    Err(error) => {
                        let message = format!("cannot read `{}`: {error}", path.display());
                        let help = error.hint("name a text file, relative to this file");
                        self.problems.push(at.error("DR013", named.span(), message, help));
                        None
                    }
                }
            }
        };
        if let Some(text) = text {
            let span = text.span();
            let size = text.get_ref().len();
            if size > *most {
                let message = format!("the {noun} has {size} bytes, and {service} takes {most}");
                self.problems.push(at.error("DR013", span, message, (*help).to_owned()));
                return;
            }
            let hash = self.secrets.keep(text.into_inner());
            let key = Spanned::new(span.clone(), (*hashed).into());
            table.insert(key, Spanned::new(span, DeValue::String(hash.into())));
        }
    }
}
