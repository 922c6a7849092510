//! Storage of a world in a folder, so that the next program finds it.
//!
//! `world.json` is a snapshot of the world, `world.log` the changes since, one per line. A change
//! is in the log before its call answers: a killed program loses nothing that was acknowledged, and
//! ten thousand resources do not mean ten thousand copies of the world. Opening and closing fold
//! the log into the snapshot.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::world::{Change, World};

/// Format version of `world.json` and `world.log`.
const FORMAT: u32 = 1;

/// Why a world cannot be opened. Nothing on disk was changed.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// A newer drstack wrote it.
    #[error("`{path}` has format {found}, this drstack knows {FORMAT}")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its folder.
        folder: PathBuf,
        /// Its format.
        found: u64,
    },
    /// A file is damaged.
    #[error("`{path}` cannot be understood: {message}")]
    Broken {
        /// The file.
        path: PathBuf,
        /// Its folder.
        folder: PathBuf,
        /// Description of the damage.
        message: String,
    },
    /// Another program has it open.
    #[error("another drstack is using the simulated cloud in `{folder}`")]
    InUse {
        /// Its folder.
        folder: PathBuf,
    },
    /// An I/O error.
    #[error("`{path}`: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The error.
        #[source]
        source: io::Error,
    },
    /// A seed does not have the shape of its kind.
    #[error(transparent)]
    Seed(#[from] drstack_core::kind::ShapeError),
}

impl WorldError {
    /// Returns what to do next, as an imperative sentence.
    pub fn hint(&self) -> String {
        match self {
            Self::Newer { folder, .. } => {
                format!("use the newer drstack, or delete the folder `{}` to start over", folder.display())
            }
            Self::Broken { folder, .. } => format!("delete the folder `{}` to start over", folder.display()),
            Self::InUse { .. } => "wait until it has ended, or work in another folder with `-C`".to_owned(),
            Self::Io { .. } => "work in a folder that you may write to, with `-C`".to_owned(),
            Self::Seed(_) => "report this".to_owned(),
        }
    }
}

#[derive(Deserialize)]
struct Format {
    format: u64,
}

// Refuse unknown fields: this program would lose them when it writes.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Snapshot<W> {
    format: u32,
    world: W,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<C> {
    /// Age of the world when it happened.
    age: u64,
    change: C,
}

/// The folder of a world, locked by this program.
pub(crate) struct Disk {
    folder: PathBuf,
    log: File,
    /// Held, never read: the lock ends with the handle, even if the program is killed.
    _lock: File,
    /// True if the log is not empty.
    dirty: bool,
}

impl Disk {
    /// Locks the folder and reads its world, or creates a new one.
    pub(crate) fn open(folder: &Path) -> Result<(Self, World), WorldError> {
        let at = |path: &Path| {
            let path = path.to_owned();
            move |source| WorldError::Io { path, source }
        };
        std::fs::create_dir_all(folder).map_err(at(folder))?;
        let lock_path = folder.join("lock");
        let lock = open_for_append(&lock_path).map_err(at(&lock_path))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => WorldError::InUse { folder: folder.to_owned() },
            TryLockError::Error(source) => WorldError::Io { path: lock_path, source },
        })?;
        let (world, dirty) = read(folder)?;
        let log_path = folder.join("world.log");
        let log = open_for_append(&log_path).map_err(at(&log_path))?;
        let mut disk = Self { folder: folder.to_owned(), log, _lock: lock, dirty: true };
        // A log never exists without `world.json`, which states the format of both.
        if dirty || !folder.join("world.json").exists() {
            disk.fold(&world).map_err(at(folder))?;
        }
        disk.dirty = false;
        Ok((disk, world))
    }

    /// Appends one change with a single write, so that the line is complete or missing.
    pub(crate) fn append(&mut self, age: u64, change: &Change) -> io::Result<()> {
        let mut line = serde_json::to_vec(&Line { age, change })?;
        line.push(b'\n');
        self.dirty = true;
        self.log.write_all(&line)
    }

    /// Folds the log into the snapshot.
    ///
    /// The new snapshot is complete on disk before it takes the old one's name, and a log that
    /// outlives it adds nothing.
    pub(crate) fn fold(&mut self, world: &World) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        let mut writer = io::BufWriter::new(file.as_file_mut());
        serde_json::to_writer(&mut writer, &Snapshot { format: FORMAT, world })?;
        writer.flush()?;
        drop(writer);
        file.persist(self.folder.join("world.json"))?;
        self.log.set_len(0)?;
        self.dirty = false;
        Ok(())
    }

    /// Adds the place to an I/O error.
    pub(crate) fn error(&self, source: io::Error) -> WorldError {
        WorldError::Io { path: self.folder.clone(), source }
    }

    pub(crate) fn is_dirty(&self) -> bool {
        self.dirty
    }
}

fn open_for_append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// Reads the world in this folder; also returns whether the log had changes.
fn read(folder: &Path) -> Result<(World, bool), WorldError> {
    let path = folder.join("world.json");
    let broken = |path: &Path, message: String| WorldError::Broken {
        path: path.to_owned(),
        folder: folder.to_owned(),
        message,
    };
    let mut world = match contents(&path)? {
        None => World::default(),
        Some(bytes) => {
            let found = serde_json::from_slice::<Format>(&bytes)
                .map_err(|error| broken(&path, error.to_string()))?
                .format;
            if found > u64::from(FORMAT) {
                return Err(WorldError::Newer { path, folder: folder.to_owned(), found });
            }
            serde_json::from_slice::<Snapshot<World>>(&bytes)
                .map_err(|error| broken(&path, error.to_string()))?
                .world
                .indexed()
        }
    };
    let path = folder.join("world.log");
    let log = contents(&path)?.unwrap_or_default();
    // The text after the last line end was being written when the program died: its call never
    // answered.
    let complete = log.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let (lines, torn) = log.split_at(complete);
    // A last line that lacks only its end can still be parsed.
    let last = Some(torn).filter(|torn| serde_json::from_slice::<Line<Change>>(torn).is_ok());
    for (number, line) in lines.split(|byte| *byte == b'\n').chain(last).enumerate() {
        if line.is_empty() {
            continue;
        }
        let Line { age, change } = serde_json::from_slice::<Line<Change>>(line)
            .map_err(|error| broken(&path, format!("line {}: {error}", number + 1)))?;
        world.age = world.age.max(age);
        world.apply(change);
    }
    Ok((world, !log.is_empty()))
}

fn contents(path: &Path) -> Result<Option<Vec<u8>>, WorldError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(WorldError::Io { path: path.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fact(n: u32) -> Change {
        Change::Fact { key: format!("primary/group/{n}"), value: serde_json::json!({"capacity": n}) }
    }

    fn written(folder: &Path) {
        let (mut disk, mut world) = Disk::open(folder).unwrap();
        for n in 0..3 {
            disk.append(u64::from(n), &fact(n)).unwrap();
            world.apply(fact(n));
        }
        disk.fold(&world).unwrap();
        for n in 3..6 {
            disk.append(u64::from(n), &fact(n)).unwrap();
        }
    }

    #[test]
    fn the_log_is_read_after_the_world_and_folded_into_it() {
        let folder = tempfile::tempdir().unwrap();
        written(folder.path());
        let (_, world) = Disk::open(folder.path()).unwrap();
        assert_eq!((world.facts.len(), world.age), (6, 5));
        assert_eq!(std::fs::metadata(folder.path().join("world.log")).unwrap().len(), 0);
    }

    #[test]
    fn a_half_written_line_is_forgotten_and_a_line_heard_twice_says_nothing_new() {
        let folder = tempfile::tempdir().unwrap();
        written(folder.path());
        let path = folder.path().join("world.log");
        let log = std::fs::read(&path).unwrap();
        let torn = [log.as_slice(), &log, b"{\"age\":9,\"change\":{\"fa"].concat();
        std::fs::write(&path, torn).unwrap();
        assert_eq!(Disk::open(folder.path()).unwrap().1.facts.len(), 6);
    }

    #[test]
    fn two_programs_cannot_have_one_world() {
        let folder = tempfile::tempdir().unwrap();
        let first = Disk::open(folder.path()).unwrap();
        assert!(matches!(Disk::open(folder.path()), Err(WorldError::InUse { .. })));
        drop(first);
        assert!(Disk::open(folder.path()).is_ok());
    }

    #[test]
    fn a_newer_or_broken_world_is_left_alone() {
        for (text, said) in [
            ("{\"format\":2,\"world\":{\"shape\":\"new\"}}", "has format 2, this drstack knows 1"),
            ("{\"format\":1,\"world\":{\"age\":", "cannot be understood"),
            ("", "cannot be understood"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("world.json");
            std::fs::write(&path, text).unwrap();
            let error = Disk::open(folder.path()).err().unwrap();
            assert!(error.hint().contains("delete the folder"), "{}", error.hint());
            let error = error.to_string();
            assert!(error.contains(said) && error.contains("world.json"), "{error}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
    }

    proptest! {
        /// Opening damaged files terminates, and unreadable files are left unchanged.
        #[test]
        fn mutated_files_never_panic_and_are_never_lost(
            log in any::<bool>(), at in 0_usize..400, byte in any::<u8>(), cut in any::<bool>(),
        ) {
            let folder = tempfile::tempdir().unwrap();
            written(folder.path());
            let path = folder.path().join(if log { "world.log" } else { "world.json" });
            let mut bytes = std::fs::read(&path).unwrap();
            let at = at % bytes.len();
            if cut { bytes.truncate(at) } else { bytes[at] = byte }
            std::fs::write(&path, &bytes).unwrap();
            match Disk::open(folder.path()) {
                Err(error) => {
                    prop_assert!(error.hint().contains("delete the folder"), "{error}");
                    prop_assert_eq!(std::fs::read(&path).unwrap(), bytes);
                }
                // Only a truncated last line is dropped.
                Ok((_, world)) => {
                    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
                    let least = if log { 3 + lines - usize::from(cut) } else { 6 };
                    prop_assert!(world.facts.len() + usize::from(!cut) >= least.min(6), "{:?}", world.facts);
                }
            }
        }
    }
}
