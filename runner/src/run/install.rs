//! Packages → files in place: fetched together, unpacked while they arrive, shown when all is well. Says
//! what it did in one line for each package, or in a bar on a terminal.

use std::io::{self, IsTerminal as _, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use indicatif::{DecimalBytes, HumanCount, ProgressBar, ProgressStyle};
use tokio::time::interval;

use super::error::{RunError, machine};
use crate::config::Code;
use crate::fetch::{Fetcher, Opened, Options, Patience, Renewal};
use crate::function::Package;
use crate::output;
use crate::unpack::{self, Archive, Limits, Progress, Stats, Target};

/// Bytes in memory, over all packages, with one connection and with several.
const WINDOWS: [u64; 2] = [8 << 20, 24 << 20];
/// The least for one package: several times what its readers ask for at once.
const LEAST_WINDOW: u64 = 4 << 20;
/// What a package may be larger than its contents: headers, names, gaps.
const OVERHEAD: u64 = 128 << 20;

/// A directory, and the packages that fill it, lowest first.
#[derive(Debug)]
pub(super) struct Job {
    /// It is made, or must be empty.
    pub(super) root: PathBuf,
    /// Lowest first.
    pub(super) packages: Vec<Package>,
}

/// Puts everything in place, or nothing. `renewal` tells how to get a package's address again.
pub(super) async fn install(
    jobs: Vec<Job>,
    code: &Code,
    renewal: impl Fn(&Package) -> Option<Renewal>,
) -> Result<(), RunError> {
    let started = Instant::now();
    let packages: Vec<&Package> = jobs.iter().flat_map(|job| &job.packages).collect();
    let fetcher = Fetcher::new(options(code, packages.len()));
    let opening = packages.iter().map(|package| fetcher.open(package, renewal(package)));
    let mut opened = try_join_all(opening).await?;
    let progress = Arc::new(Progress::default());
    let work = work(jobs, &opened, code.limits(), Arc::clone(&progress));
    let unpacking = tokio::task::spawn_blocking(work);
    let watched: Vec<_> = opened.iter().map(|package| Arc::clone(&package.progress)).collect();
    let both = async {
        let received = try_join_all(opened.iter_mut().map(Opened::receive)).await;
        if received.is_err() {
            for package in &opened {
                package.source.as_source().abort();
            }
        }
        (received, unpacking.await)
    };
    let (received, unpacked) = tokio::select! {
        ended = both => ended,
        never = show(&watched, &progress) => never,
    };
    // Where the bytes did not come, that is the reason of what followed.
    received?;
    let stats = unpacked.map_err(machine("unpacking"))??;
    if !io::stderr().is_terminal() {
        tell(&opened, &stats, started.elapsed());
    }
    Ok(())
}

/// The packages' shares of what may be used.
fn options(code: &Code, packages: usize) -> Options {
    let packages = packages.max(1);
    let window = WINDOWS[usize::from(code.connections > 1)] / packages as u64;
    Options {
        connections: (code.connections / packages).max(1),
        window: window.max(LEAST_WINDOW),
        allowed: code.max_unpacked.saturating_add(OVERHEAD),
        patience: Patience::default(),
    }
}

/// What is to be done on blocking threads.
fn work(
    jobs: Vec<Job>,
    opened: &[Opened],
    limits: Limits,
    progress: Arc<Progress>,
) -> impl FnOnce() -> Result<Vec<Stats>, unpack::UnpackError> + use<> {
    let sources: Vec<_> =
        opened.iter().map(|package| (package.name().to_owned(), package.source.clone())).collect();
    move || {
        let archives: Vec<Archive<'_>> = sources
            .iter()
            .map(|(name, source)| Archive { name, source: source.as_source() })
            .collect();
        let mut rest = &archives[..];
        let mut targets = Vec::with_capacity(jobs.len());
        for job in &jobs {
            let (own, others) = rest.split_at(job.packages.len());
            targets.push(Target { root: &job.root, archives: own });
            rest = others;
        }
        unpack::unpack(&targets, &limits, &progress)
    }
}

/// One line for each package.
fn tell(opened: &[Opened], stats: &[Stats], elapsed: Duration) {
    for (package, stats) in opened.iter().zip(stats) {
        let bytes = package.progress.bytes();
        let name = package.name();
        output::line(&mut io::stderr(), &summary(name, bytes, *stats, elapsed));
    }
}

fn summary(name: &str, bytes: u64, stats: Stats, elapsed: Duration) -> String {
    let milliseconds = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
    let rate = DecimalBytes(bytes.saturating_mul(1000) / milliseconds);
    format!(
        "immortal-runner: {name}: {} in, {} and {} files out in {:.2} s ({rate}/s)",
        DecimalBytes(bytes),
        DecimalBytes(stats.bytes),
        HumanCount((stats.files + stats.links) as u64),
        elapsed.as_secs_f64(),
    )
}

/// Keeps a bar up to date until it is dropped.
async fn show<T>(packages: &[Arc<crate::fetch::Progress>], progress: &Progress) -> T {
    if !io::stderr().is_terminal() {
        return std::future::pending().await;
    }
    let bar = Bar(ProgressBar::new(0).with_style(style()));
    let mut ticks = interval(Duration::from_millis(100));
    loop {
        ticks.tick().await;
        bar.0.set_length(packages.iter().map(|package| package.total()).sum());
        bar.0.set_position(packages.iter().map(|package| package.bytes()).sum());
        let [files, expected] =
            [&progress.files, &progress.expected].map(|count| count.load(Ordering::Relaxed));
        bar.0.set_message(format!(
            "{}/{} files",
            HumanCount(files as u64),
            HumanCount(expected as u64)
        ));
    }
}

fn style() -> ProgressStyle {
    let template = "{bar:30} {decimal_bytes}/{decimal_total_bytes}  {msg}  {decimal_bytes_per_sec}  {eta} left";
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// A bar that vanishes when it is done.
struct Bar(ProgressBar);

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
        let _ = io::stderr().flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_share_what_may_be_used() {
        let code = Code { connections: 4, max_unpacked: 100, registry_auth: None };
        assert_eq!((options(&code, 1).connections, options(&code, 1).window), (4, 24 << 20));
        assert_eq!((options(&code, 3).connections, options(&code, 16).window), (1, 4 << 20));
    }

    #[test]
    fn a_line_says_what_came_and_how_fast() {
        let stats = Stats { files: 2265, directories: 9, links: 1, bytes: 200_100_000 };
        let line = summary("layer", 62_200_000, stats, Duration::from_millis(500));
        assert_eq!(
            line,
            "immortal-runner: layer: 62.20 MB in, 200.10 MB and 2,266 files out in 0.50 s (124.40 MB/s)"
        );
    }
}
