//! Bytes of packages: from a URL or a file to a [`Source`] that may be read while it arrives. What the
//! bytes mean is not known here.
//!
//! `host` (pure) says which addresses are good, `resolve` that names lead to no others, `link` makes single
//! requests and keeps the address fresh, `answer` and `patience` (pure) judge what came back and how long to go on, `download` brings the bytes
//! into a `window` over as many connections as `governor` (pure) finds useful, and `digest` tells whether
//! they are the right ones. `spool` stands in where a server knows nothing of ranges.

mod answer;
pub mod client;
mod digest;
mod download;
mod error;
mod governor;
mod host;
mod link;
mod patience;
mod progress;
mod reading;
pub mod resolve;
mod spool;
mod window;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use ledger::Redacted;
use tokio::sync::OnceCell;

use answer::{Answer, Wanted};
use digest::Digest;
use download::{Download, SMALL, TAIL};
pub use error::{Fault, FetchError};
pub(crate) use link::elsewhere;
use link::{Address, Body, Link, Retry};
pub use link::{Renewal, Renewed};
pub use patience::Patience;
pub use progress::Progress;
pub use reading::Reading;
use window::Window;

use crate::function::{Location, Package};
use crate::unpack::{LocalFile, Source};

/// How packages are fetched.
#[derive(Debug, Clone)]
pub struct Options {
    /// The most connections for one package.
    pub connections: usize,
    /// Bytes of one package that may be in memory.
    pub window: u64,
    /// Bytes that one package may have.
    pub allowed: u64,
    /// How long to go on when nothing comes.
    pub patience: Patience,
}

/// A package that can be read.
#[derive(Debug)]
pub struct Opened {
    name: String,
    /// Its bytes, which come as long as [`Opened::receive`] is being waited for.
    pub source: Readable,
    /// How much has come.
    pub progress: Arc<Progress>,
    download: Option<Download>,
}

/// The bytes of a package, here or arriving.
#[derive(Debug, Clone)]
pub enum Readable {
    /// In a file.
    File(Arc<LocalFile>),
    /// On their way.
    Arriving(Arriving),
}

/// Bytes on their way.
#[derive(Debug, Clone)]
pub struct Arriving(Arc<Window>);

impl Readable {
    /// As unpacking takes it.
    pub fn as_source(&self) -> &dyn Source {
        match self {
            Self::File(file) => &**file,
            Self::Arriving(Arriving(window)) => &**window,
        }
    }
}

/// Fetches packages.
#[derive(Debug)]
pub struct Fetcher {
    options: Options,
    /// Made when it is first needed: reading the machine's certificates takes milliseconds.
    client: OnceCell<reqwest::Client>,
}

impl Fetcher {
    /// Fetches as these options say.
    pub fn new(options: Options) -> Self {
        Self { options, client: OnceCell::new() }
    }

    /// Opens a package, as soon as its length is known. `renewal` gives a fresh address when the one
    /// it has is refused.
    pub async fn open(
        &self,
        package: &Package,
        renewal: Option<Renewal>,
    ) -> Result<Opened, FetchError> {
        let opened = match &package.location {
            Location::File(path) => local(package, path),
            Location::Directory(_) => Err(Fault::Local(io::ErrorKind::IsADirectory.into())),
            Location::S3(_) => Err(Fault::Local(io::ErrorKind::Unsupported.into())),
            Location::Url(url) => self.remote(package, Address::of(url), renewal).await,
            Location::Presigned(url) => match check(url) {
                Ok(()) => self.remote(package, Address::of(url), renewal).await,
                Err(fault) => Err(fault),
            },
            Location::Blob { url, authorization } => {
                self.remote(package, Address::of_blob(url, authorization.as_ref()), renewal).await
            }
        };
        opened.map_err(|fault| FetchError { package: package.name.clone(), fault })
    }

    async fn remote(
        &self,
        package: &Package,
        address: Address,
        renewal: Option<Renewal>,
    ) -> Result<Opened, Fault> {
        let client = self.client.get_or_try_init(async || client::new()).await?.clone();
        // A zip's directory is at its end, and nothing can be written before it is known: it has a
        // request of its own, at the same time.
        let ahead = !address.is_blob() && package.size.is_none_or(|size| size > SMALL);
        let link = Arc::new(Link::new(client, address, renewal, self.options.patience));
        let tail = ahead.then(|| {
            let link = Arc::clone(&link);
            tokio::spawn(async move { link.get(&Wanted::Last(TAIL), None).await })
        });
        let first = first(&link).await?;
        match first.answer {
            Answer::Part(_, length) => {
                self.bounded(length)?;
                Ok(self.arriving(package, link, (first, length), tail))
            }
            Answer::Whole(length) => {
                if let Some(tail) = tail {
                    tail.abort();
                }
                self.bounded(length.unwrap_or(0))?;
                self.spooled(package, &link, first).await
            }
        }
    }

    fn arriving(
        &self,
        package: &Package,
        link: Arc<Link>,
        first: (Body, u64),
        tail: Option<download::Tail>,
    ) -> Opened {
        let Options { connections, window, .. } = self.options;
        let window = Arc::new(Window::new(first.1, window));
        let progress = Arc::new(Progress::default());
        let checks = (package.sha256.clone(), Arc::clone(&progress));
        let download = Download::new(Arc::clone(&window), link, first, tail, connections, checks);
        let source = Readable::Arriving(Arriving(window));
        Opened { name: package.name.clone(), source, progress, download: Some(download) }
    }

    async fn spooled(&self, package: &Package, link: &Link, first: Body) -> Result<Opened, Fault> {
        let progress = Arc::new(Progress::default());
        let (sha256, allowed) = (package.sha256.as_deref(), self.options.allowed);
        let file = spool::spool(link, first, sha256, allowed, &progress).await?;
        progress.expect(progress.bytes());
        let file = LocalFile::new(file).map_err(Fault::Spool)?;
        let source = Readable::File(Arc::new(file));
        Ok(Opened { name: package.name.clone(), source, progress, download: None })
    }

    fn bounded(&self, found: u64) -> Result<(), Fault> {
        let allowed = self.options.allowed;
        if found > allowed { Err(Fault::Large { found, allowed }) } else { Ok(()) }
    }
}

impl Opened {
    /// How messages call the package.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Lets the bytes come, until all are here and right, or readers have given up.
    pub async fn receive(&mut self) -> Result<(), FetchError> {
        let Some(download) = self.download.take() else { return Ok(()) };
        let ended = download.run().await;
        ended.map_err(|fault| FetchError { package: self.name.clone(), fault })
    }
}

fn check(url: &Redacted<String>) -> Result<(), Fault> {
    let found = |_| Fault::Answer { expected: "an address", found: "something else".to_owned() };
    host::check(&url.expose().parse().map_err(found)?)
}

/// The first answer, from the package's first byte on.
async fn first(link: &Link) -> Result<Body, Fault> {
    let mut retry = Retry::default();
    loop {
        match link.get(&Wanted::From(0), None).await {
            Ok(body) => return Ok(body),
            Err(trouble) => retry.after(trouble, link).await?,
        }
        retry.used = link.renewed().await;
    }
}

fn local(package: &Package, path: &Path) -> Result<Opened, Fault> {
    let file = LocalFile::open(path).map_err(Fault::Local)?;
    let progress = Arc::new(Progress::default());
    progress.expect(file.len());
    progress.received(usize::try_from(file.len()).unwrap_or(usize::MAX));
    if package.sha256.is_some() {
        let digest = digest(path).map_err(Fault::Local)?;
        digest.check(package.sha256.as_deref())?;
    }
    let source = Readable::File(Arc::new(file));
    Ok(Opened { name: package.name.clone(), source, progress, download: None })
}

fn digest(path: &Path) -> io::Result<Digest> {
    let (mut file, mut digest, mut buffer) =
        (File::open(path)?, Digest::default(), vec![0; 256 << 10]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(digest),
            count => digest.update(&buffer[..count]),
        }
    }
}
