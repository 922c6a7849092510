//! The limits of an answer: how large it may be, and how long it may take.
//!
//! A bucket or a web server may send bytes for ever, or two of them a second. An answer that is
//! kept in memory is read here, and nowhere else.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

const MIB: usize = 1024 * 1024;

/// The limits of one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Maximum bytes.
    pub bytes: usize,
    /// Maximum time from the first byte to the last.
    pub time: Duration,
}

/// Limits of an object in the control bucket. The bundle of ten thousand resources has 20 MB, and a
/// slow line brings that in a minute; who waits longer waits in vain, and the RTO is running.
pub const OBJECT: Limits = Limits { bytes: 64 * MIB, time: Duration::from_secs(60) };

/// Limits of the page that a check reads: health pages have a few KiB. A check's own `timeout` is
/// mostly shorter.
pub const PAGE: Limits = Limits { bytes: MIB, time: Duration::from_secs(60) };

/// Why an answer was not read to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unread<E> {
    /// It has more bytes than the limit.
    #[error("it has more than {} MiB", .0.bytes / MIB)]
    Large(Limits),
    /// It takes longer than the limit.
    #[error("it took longer than {} s, and {bytes} bytes came", .limits.time.as_secs())]
    Slow {
        /// The limits.
        limits: Limits,
        /// Bytes that came by then.
        bytes: usize,
    },
    /// It broke off.
    #[error("it broke off: {0}")]
    Broken(E),
}

/// An answer while it is read.
#[derive(Debug)]
pub struct Answer {
    limits: Limits,
    until: Instant,
    body: Vec<u8>,
}

impl Answer {
    /// Begins to read an answer with these limits.
    pub fn begin(limits: Limits) -> Self {
        Self { limits, until: Instant::now() + limits.time, body: Vec::new() }
    }

    /// Waits for the next `part` and keeps it; false at the end.
    ///
    /// # Errors
    /// [`Unread`].
    pub async fn takes<P: AsRef<[u8]>, E>(
        &mut self,
        part: impl Future<Output = Result<Option<P>, E>>,
    ) -> Result<bool, Unread<E>> {
        let slow = |_| Unread::Slow { limits: self.limits, bytes: self.body.len() };
        let part = timeout_at(self.until, part).await.map_err(slow)?;
        let Some(part) = part.map_err(Unread::Broken)? else { return Ok(false) };
        let part = part.as_ref();
        if self.body.len() + part.len() > self.limits.bytes {
            return Err(Unread::Large(self.limits));
        }
        self.body.extend_from_slice(part);
        Ok(true)
    }

    /// Returns its bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        self.body
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Ipv4Addr, Shutdown, TcpListener};
    use std::thread::JoinHandle;

    use super::*;

    /// Starts a server that sends bytes for ever, or two bytes and then nothing.
    fn server(endless: bool) -> (u16, JoinHandle<()>) {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = server.local_addr().unwrap().port();
        let serves = move || {
            let (mut stream, _) = server.accept().unwrap();
            match endless {
                true => while stream.write_all(&[b'x'; 4096]).is_ok() {},
                false => {
                    stream.write_all(b"ab").unwrap();
                    // It says no more, and does not hang up: the client has to.
                    let _ = stream.read(&mut [0]);
                }
            }
            let _ = stream.shutdown(Shutdown::Both);
        };
        (port, std::thread::spawn(serves))
    }

    /// Reads an answer of that server with these limits.
    async fn read(endless: bool, limits: Limits) -> Result<Vec<u8>, Unread<std::io::Error>> {
        use tokio::io::AsyncReadExt;
        let (port, serves) = server(endless);
        let mut stream = tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        let mut answer = Answer::begin(limits);
        let ended = loop {
            let part = async {
                let mut part = vec![0; 4096];
                let count = stream.read(&mut part).await?;
                part.truncate(count);
                Ok((count > 0).then_some(part))
            };
            match answer.takes(part).await {
                Ok(true) => {}
                Ok(false) => break Ok(answer.into_bytes()),
                Err(why) => break Err(why),
            }
        };
        drop(stream);
        serves.join().unwrap();
        ended
    }

    #[tokio::test]
    async fn an_endless_answer_ends_at_its_limit() {
        let limits = Limits { bytes: 2 * MIB, ..OBJECT };
        let why = read(true, limits).await.unwrap_err();
        assert_eq!(why.to_string(), "it has more than 2 MiB");
    }

    #[tokio::test]
    async fn a_slow_answer_ends_at_its_limit() {
        let limits = Limits { time: Duration::from_millis(200), ..OBJECT };
        let why = read(false, limits).await.unwrap_err();
        assert_eq!(why.to_string(), "it took longer than 0 s, and 2 bytes came");
    }
}
