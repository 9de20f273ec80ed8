//! From settings to a function whose files are in place. How it is run comes later.

use std::path::PathBuf;

use super::error::{RunError, machine};
use crate::aws;
use crate::boot::{self, Layout};
use crate::clock::Clock;
use crate::config::{Environment, Run, Source};
use crate::fetch::Fetcher;
use crate::function::runtime::{self, Family};
use crate::function::{Function, Location, Package, local};
use crate::job::{self, Event};
use crate::place::Place;
use crate::unpack::{self, Archive, Limits, LocalFile, Stats};

/// A function whose files are in place, and its event.
pub(super) struct Prepared {
    pub(super) function: Function,
    pub(super) family: &'static Family,
    pub(super) layout: Layout,
    pub(super) place: Place,
    pub(super) event: Event,
}

/// Reads the event, finds out what the function is, and puts its code and layers in place.
pub(super) async fn prepare(
    run: Run,
    environment: &impl Environment,
    clock: Clock,
) -> Result<Prepared, RunError> {
    // On a thread of its own: standard input may take its time, and signals are not to wait for it.
    let reading = tokio::task::spawn_blocking(move || job::read(&run.event));
    let payload = reading.await.map_err(machine("reading the event"))??;
    let mut function = describe(run.source, run.region, environment).await?;
    function.memory = run.limits.memory.unwrap_or(function.memory);
    function.variables.extend(run.variables);
    if let Some(module) = &run.module {
        function.override_module(module);
    }
    let family = runtime::find(&function.runtime)?;
    let runtime = boot::runtime_dir(family, &function.runtime, run.limits.runtime_dir.as_deref())?;
    let place = Place::choose()?;
    place.clear()?;
    let layout = Layout { task: install(&function, &place).await?, opt: place.opt(), runtime };
    let event = Event::new(payload, run.context, &function.arn, clock.now());
    Ok(Prepared { function, family, layout, place, event })
}

async fn describe(
    source: Source,
    region: Option<String>,
    environment: &impl Environment,
) -> Result<Function, RunError> {
    match source {
        Source::Deployed(name) => {
            let config = aws::config(region.or_else(|| name.region().map(str::to_owned))).await;
            Ok(aws::describe(&config, &name).await?)
        }
        Source::Local(local) => {
            let named =
                ["AWS_REGION", "AWS_DEFAULT_REGION"].iter().find_map(|name| environment.get(name));
            let region = named
                .and_then(|region| region.into_string().ok())
                .unwrap_or_else(|| "us-east-1".into());
            Ok(local::describe(&local, &region))
        }
    }
}

/// Puts layers and code in place and says where the code is: a directory stays where it was. What
/// they may unpack to, they may together.
async fn install(function: &Function, place: &Place) -> Result<PathBuf, RunError> {
    let mut limits = Limits::default();
    if !function.layers.is_empty() {
        limits.unpacked_bytes -= unpack(&function.layers, place.opt(), limits.clone()).await?.bytes;
    }
    if let Location::Directory(directory) = &function.code.location {
        return std::path::absolute(directory).map_err(machine("finding the code's directory"));
    }
    unpack(std::slice::from_ref(&function.code), place.task(), limits).await?;
    Ok(place.task())
}

async fn unpack(packages: &[Package], root: PathBuf, limits: Limits) -> Result<Stats, RunError> {
    let fetcher = Fetcher::default();
    let mut files: Vec<(String, LocalFile)> = Vec::new();
    for package in packages {
        let file =
            LocalFile::new(fetcher.open(package).await?).map_err(machine("reading a package"))?;
        files.push((package.name.clone(), file));
    }
    let work = move || {
        let archives: Vec<Archive<'_>> =
            files.iter().map(|(name, source)| Archive { name, source }).collect();
        unpack::unpack(&archives, &root, &limits)
    };
    Ok(tokio::task::spawn_blocking(work).await.map_err(machine("unpacking"))??)
}
