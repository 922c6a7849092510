//! User data: the text goes only into the launch template, so a spec carries its hash.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::decode::At;
use super::load::{Loader, normal};

/// Field with the hash of a component's `user_data`; not for stack files.
pub(super) const HASHED: &str = "user_data_sha256";

/// Most bytes of user data that EC2 accepts, before encoding
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/user-data.html>).
const MOST_USER_DATA: usize = 16 * 1024;

impl Loader<'_> {
    /// Replaces user data, which may hold secrets, by its hash; only this run knows the text.
    pub(super) fn hide_user_data(&mut self, table: &mut DeTable<'static>, folder: &Path, at: &At) {
        if let Some((key, _)) = table.remove_entry(HASHED) {
            let help = "write `user_data` or `user_data_file`; drstack makes the hash".to_owned();
            self.problems.push(at.error(
                "DR005",
                key.span(),
                format!("`{HASHED}` is not yours to write"),
                help,
            ));
        }
        let file = self.text(table, "user_data_file", at);
        let text = self.text(table, "user_data", at);
        if let (Some(file), Some(_)) = (&file, &text) {
            let help = "leave one of the two out".to_owned();
            let message = "`user_data` and `user_data_file` are both given";
            self.problems.push(at.error("DR013", file.span(), message, help));
        }
        let text = match file {
            None => text,
            Some(file) => {
                let path = normal(&folder.join(file.get_ref()));
                match self.files.read(&path) {
                    Ok(read) => Some(Spanned::new(file.span(), read)),
                    Err(message) => {
                        let message = format!("cannot read `{}`: {message}", path.display());
                        let help = "name a text file, relative to this file".to_owned();
                        self.problems.push(at.error("DR013", file.span(), message, help));
                        None
                    }
                }
            }
        };
        if let Some(text) = text {
            let span = text.span();
            if text.get_ref().len() > MOST_USER_DATA {
                let size = text.get_ref().len();
                let message = format!("the user data has {size} bytes, and EC2 takes {MOST_USER_DATA}");
                let help = "fetch the rest from a bucket when the instance starts".to_owned();
                self.problems.push(at.error("DR013", span, message, help));
                return;
            }
            let hash = self.secrets.keep(text.into_inner());
            let key = Spanned::new(span.clone(), HASHED.into());
            table.insert(key, Spanned::new(span, DeValue::String(hash.into())));
        }
    }
}
