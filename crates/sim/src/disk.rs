//! Disk: a world in a folder, so that the next program finds it.
//!
//! `world.json` is the world as it once was, `world.log` what has happened since, one change a line. A change is in the
//! log before its call answers: a program that is killed loses nothing that it was told had happened, and ten thousand
//! resources do not mean ten thousand copies of the world. Opening and closing fold the log into the world.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::world::{Change, World};

/// Version of `world.json` and `world.log`.
const FORMAT: u32 = 1;

/// A world that cannot be opened. Nothing on disk was changed.
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
    /// It is damaged.
    #[error("`{path}` cannot be understood: {message}")]
    Broken {
        /// The file.
        path: PathBuf,
        /// Its folder.
        folder: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// Another program has it open.
    #[error("another drstack is using the simulated cloud in `{folder}`")]
    InUse {
        /// Its folder.
        folder: PathBuf,
    },
    /// The disk said no.
    #[error("`{path}`: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What it said.
        #[source]
        source: io::Error,
    },
    /// What is to be there from the start does not have the shape its kind expects.
    #[error(transparent)]
    Seed(#[from] drstack_core::kind::ShapeError),
}

impl WorldError {
    /// What to do next, as an imperative sentence.
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

// What this program does not know it would lose when it writes: so it is refused.
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

/// The folder of a world, held by this program alone.
pub(crate) struct Disk {
    folder: PathBuf,
    log: File,
    /// Held, never read: the lock goes with the handle, even when the program is killed.
    _lock: File,
    /// True when the log holds something.
    dirty: bool,
}

impl Disk {
    /// Takes the folder and reads the world in it; a new one where there is none.
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
        // A log never stands alone: it is `world.json` that says which format both have.
        if dirty || !folder.join("world.json").exists() {
            disk.fold(&world).map_err(at(folder))?;
        }
        disk.dirty = false;
        Ok((disk, world))
    }

    /// Writes one change down. One write, so that a line is there or is not.
    pub(crate) fn append(&mut self, age: u64, change: &Change) -> io::Result<()> {
        let mut line = serde_json::to_vec(&Line { age, change })?;
        line.push(b'\n');
        self.dirty = true;
        self.log.write_all(&line)
    }

    /// Folds the log into the world: the new world is complete on disk before it takes the old one's name, and a log
    /// that outlives it says nothing new.
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

    /// What the disk said, with the place.
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

/// The world in this folder, and whether it took the log to know it.
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
    // What stands behind the last line end was being written when the program died: its call never answered.
    let complete = log.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let (lines, torn) = log.split_at(complete);
    // A last line that only lacks its end can be read all the same.
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
        /// Whatever happens to the files, opening them ends, and what could not be read is as it was.
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
                // Only a last line that was cut off is forgotten.
                Ok((_, world)) => {
                    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
                    let least = if log { 3 + lines - usize::from(cut) } else { 6 };
                    prop_assert!(world.facts.len() + usize::from(!cut) >= least.min(6), "{:?}", world.facts);
                }
            }
        }
    }
}
