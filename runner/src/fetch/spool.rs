//! For servers that know nothing of ranges: the whole package into a file without a name, since its
//! directory comes last and nothing is written before that has been read.

use std::fs::File;
use std::io::Write as _;

use super::answer::{Answer, Trouble, Wanted};
use super::digest::Digest;
use super::error::Fault;
use super::link::{Body, Link, Retry};
use super::progress::Progress;

/// What has been kept so far.
struct Spool<'a> {
    file: File,
    digest: Digest,
    at: u64,
    /// The most there may be, in bytes.
    allowed: u64,
    progress: &'a Progress,
}

/// Receives everything, from the first answer on. After a cut it begins again and passes over what it
/// has; that is no progress for the server, so the number of tries is limited in all.
pub(super) async fn spool(
    link: &Link,
    first: Body,
    sha256: Option<&str>,
    allowed: u64,
    progress: &Progress,
) -> Result<File, Fault> {
    let file = tempfile::tempfile().map_err(Fault::Spool)?;
    let mut spool = Spool { file, digest: Digest::default(), at: 0, allowed, progress };
    let (etag, mut retry) = (first.etag.clone(), Retry::default());
    let mut body = Ok(first);
    loop {
        let trouble = match body {
            Ok(body) => match spool.receive(body).await {
                Ok(()) => break,
                Err(trouble) => trouble,
            },
            Err(trouble) => trouble,
        };
        retry.after(trouble, link).await?;
        retry.used = link.renewed().await;
        body = link.get(&Wanted::From(0), etag.as_deref()).await;
    }
    spool.digest.check(sha256)?;
    Ok(spool.file)
}

impl Spool<'_> {
    async fn receive(&mut self, mut body: Body) -> Result<(), Trouble> {
        let length = match body.answer {
            Answer::Whole(length) => length,
            Answer::Part(_, total) => Some(total),
        };
        while let Some(bytes) = body.next().await? {
            let known = self.at.saturating_sub(body.at - bytes.len() as u64);
            let skip = usize::try_from(known).unwrap_or(usize::MAX).min(bytes.len());
            self.keep(&bytes[skip..])?;
        }
        match length {
            Some(length) if length != self.at => {
                Err(Trouble::Again(format!("the connection ended at byte {} of {length}", self.at)))
            }
            _ => Ok(()),
        }
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.at += bytes.len() as u64;
        if self.at > self.allowed {
            return Err(Fault::Large { found: self.at, allowed: self.allowed });
        }
        self.digest.update(bytes);
        self.progress.received(bytes.len());
        self.file.write_all(bytes).map_err(Fault::Spool)
    }
}
