//! The published bundle: `bundle.json` in the control bucket, with its signatures beside it.

use crate::control::{Condition, ControlStore, StoreError, Version};

const BUNDLE: &str = "bundle.json";
const SIGNATURES: &str = "bundle.json.sig";

/// Number of signatures kept.
///
/// Each is written before its bundle, so a run that dies in between leaves the older bundle with
/// its own signature; this many runs may die in a row.
const SIGNATURES_KEPT: usize = 8;

/// The published objects and their versions.
#[derive(Clone, Debug, Default)]
pub struct Published {
    /// The bundle's bytes; `None` if none is published.
    pub bundle: Option<Vec<u8>>,
    /// Signatures, one per line; one of them is the bundle's.
    pub signatures: String,
    bundle_version: Option<Version>,
    signatures_version: Option<Version>,
}

/// Reads the published bundle and signatures; both are empty if the bucket is.
///
/// # Errors
/// The store's errors, including [`StoreError::NoBucket`].
pub async fn published(store: &dyn ControlStore) -> Result<Published, StoreError> {
    // Read the bundle first: its signature was written before it.
    let (bundle, bundle_version) = store.get(BUNDLE).await?.unzip();
    let (signatures, signatures_version) = store.get(SIGNATURES).await?.unzip();
    Ok(Published { bundle, signatures: text(signatures), bundle_version, signatures_version })
}

/// Reads the bundle's bytes only, for callers that may not need its [`signatures`]; `None` if none
/// is published.
///
/// # Errors
/// As [`published`].
pub async fn bundle(store: &dyn ControlStore) -> Result<Option<Vec<u8>>, StoreError> {
    Ok(store.get(BUNDLE).await?.map(|(bytes, _)| bytes))
}

/// Reads the signatures for a [`bundle`] read earlier; they were written before it.
///
/// # Errors
/// As [`published`].
pub async fn signatures(store: &dyn ControlStore) -> Result<String, StoreError> {
    Ok(text(store.get(SIGNATURES).await?.map(|(bytes, _)| bytes)))
}

/// Anything that is not text is no signature.
fn text(signatures: Option<Vec<u8>>) -> String {
    signatures.and_then(|it| String::from_utf8(it).ok()).unwrap_or_default()
}

/// Publishes `bundle` in place of `was`.
///
/// # Errors
/// [`StoreError::Refused`] if another run has published its own meanwhile; the store's errors.
pub async fn publish(
    store: &dyn ControlStore,
    was: &Published,
    bundle: Vec<u8>,
    signature: Option<&str>,
) -> Result<(), StoreError> {
    if let Some(signature) = signature {
        let older = was.signatures.lines().filter(|line| *line != signature);
        let mut lines: Vec<&str> = std::iter::once(signature).chain(older).take(SIGNATURES_KEPT).collect();
        lines.push("");
        put(store, SIGNATURES, lines.join("\n").into_bytes(), was.signatures_version.as_ref()).await?;
    }
    put(store, BUNDLE, bundle, was.bundle_version.as_ref()).await
}

/// Deletes the published bundle, once what it would restore is gone.
///
/// # Errors
/// The store's errors.
pub async fn withdraw(store: &dyn ControlStore) -> Result<(), StoreError> {
    store.delete(BUNDLE).await?;
    store.delete(SIGNATURES).await
}

async fn put(
    store: &dyn ControlStore,
    key: &str,
    body: Vec<u8>,
    was: Option<&Version>,
) -> Result<(), StoreError> {
    let condition = was.cloned().map_or(Condition::Absent, Condition::Matches);
    let Err(error) = store.put(key, body.clone(), condition).await else { return Ok(()) };
    match store.get(key).await {
        // The answer was lost, the write was not.
        Ok(Some((stored, _))) if stored == body => Ok(()),
        _ => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::memory::{Fate, Memory};

    #[tokio::test]
    async fn a_bundle_is_published_only_in_place_of_the_one_that_was_read() {
        let store = Memory::default();
        for (bundle, own) in [(b"first", "aa"), (b"later", "cc")] {
            let [early, late] = [published(&store).await.unwrap(), published(&store).await.unwrap()];
            publish(&store, &early, bundle.to_vec(), Some(own)).await.unwrap();
            for signature in [None, Some("bb")] {
                let refused = publish(&store, &late, b"stale".to_vec(), signature).await;
                assert!(matches!(refused, Err(StoreError::Refused { .. })), "{refused:?}");
            }
            let now = published(&store).await.unwrap();
            assert_eq!(now.bundle.as_deref(), Some(&bundle[..]));
            assert!(now.signatures.starts_with(own) && !now.signatures.contains("bb"), "{now:?}");
        }
        withdraw(&store).await.unwrap();
        assert!(store.objects().is_empty());
    }

    #[tokio::test]
    async fn a_bundle_that_was_never_written_leaves_the_older_one_with_its_signature() {
        let store = Memory::default();
        publish(&store, &Published::default(), b"first".to_vec(), Some("aa")).await.unwrap();
        for signature in ["bb", "cc"] {
            store.fate(&[Fate::Answered, Fate::Lost]);
            let was = published(&store).await.unwrap();
            let lost = publish(&store, &was, b"later".to_vec(), Some(signature)).await;
            assert!(matches!(lost, Err(StoreError::Cloud(_))), "{lost:?}");
            let now = published(&store).await.unwrap();
            assert_eq!(now.bundle.as_deref(), Some(&b"first"[..]));
            assert!(now.signatures.lines().any(|line| line == "aa"), "{now:?}");
        }
        store.fate(&[Fate::AnswerLost, Fate::AnswerLost]);
        let was = published(&store).await.unwrap();
        publish(&store, &was, b"later".to_vec(), Some("cc")).await.unwrap();
        let now = published(&store).await.unwrap();
        assert_eq!((now.bundle.as_deref(), now.signatures.as_str()), (Some(&b"later"[..]), "cc\nbb\naa\n"));
    }

    #[tokio::test]
    async fn signatures_do_not_pile_up() {
        let store = Memory::default();
        for number in 0..20 {
            let was = published(&store).await.unwrap();
            let (bundle, signature) = (vec![number], format!("{number:02}"));
            publish(&store, &was, bundle, Some(&signature)).await.unwrap();
        }
        let now = published(&store).await.unwrap();
        assert_eq!(now.signatures.lines().count(), SIGNATURES_KEPT);
        assert!(now.signatures.starts_with("19\n18\n"), "{now:?}");
    }
}
