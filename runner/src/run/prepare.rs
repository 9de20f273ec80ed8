//! From settings to a function whose files are in place. How it is run comes later.

use std::path::PathBuf;
use std::sync::Arc;

use aws_config::SdkConfig;

use super::contained::{Started, pulled};
use super::error::{RunError, machine};
use super::install::{Job, install};
use crate::aws;
use crate::boot::{self, Layout};
use crate::clock::Clock;
use crate::config::{Code, Environment, Run, Source};
use crate::fetch::Renewal;
use crate::function::name::FunctionName;
use crate::function::runtime::{self, Family};
use crate::function::{Function, Location, Package, local};
use crate::job::{self, Event};
use crate::place::Place;

/// A function whose files are in place, and its event.
pub(super) struct Prepared {
    pub(super) function: Function,
    pub(super) boot: Boot,
    pub(super) place: Place,
    pub(super) event: Event,
}

/// What is to be started.
pub(super) enum Boot {
    /// A language runtime.
    Runtime { family: &'static Family, layout: Layout },
    /// A container image's program, in its own root directory.
    Image(Started),
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
    let (mut function, origin) = describe(run.source, run.region, environment).await?;
    function.memory = run.limits.memory.unwrap_or(function.memory);
    function.variables.extend(run.variables);
    if let Some(module) = &run.module {
        function.override_module(module);
    }
    let place = Place::choose()?;
    let boot = if let Some(image) = &function.image {
        Boot::Image(pulled(image, &place, &run.code, environment).await?)
    } else {
        let family = runtime::find(&function.runtime)?;
        let given = run.limits.runtime_dir.as_deref();
        let runtime = boot::runtime_dir(family, &function.runtime, given)?;
        place.clear()?;
        let task = put(&function, &place, &run.code, origin).await?;
        Boot::Runtime { family, layout: Layout { task, opt: place.opt(), runtime } }
    };
    let event = Event::new(payload, run.context, &function.arn, clock.now());
    Ok(Prepared { function, boot, place, event })
}

/// Where a function was found, so that it can be asked for again.
type Origin = Arc<(SdkConfig, FunctionName)>;

async fn describe(
    source: Source,
    region: Option<String>,
    environment: &impl Environment,
) -> Result<(Function, Option<Origin>), RunError> {
    match source {
        Source::Deployed(name) => {
            let config = aws::config(region.or_else(|| name.region().map(str::to_owned))).await;
            let function = aws::describe(&config, &name).await?;
            Ok((function, Some(Arc::new((config, name)))))
        }
        Source::Local(local) => {
            let named =
                ["AWS_REGION", "AWS_DEFAULT_REGION"].iter().find_map(|name| environment.get(name));
            let region = named
                .and_then(|region| region.into_string().ok())
                .unwrap_or_else(|| "us-east-1".into());
            let mut function = local::describe(&local, &region);
            for package in function.layers.iter_mut().chain([&mut function.code]) {
                settle(package).await?;
            }
            Ok((function, None))
        }
    }
}

/// Makes an address of an object in S3, with the credentials of the environment.
pub(super) async fn settle(package: &mut Package) -> Result<(), RunError> {
    if matches!(package.location, Location::S3(_)) {
        aws::settle(&aws::config(None).await, package).await?;
    }
    Ok(())
}

/// Puts layers and code in place and says where the code is: a directory stays where it was. What
/// they may unpack to, they may together.
async fn put(
    function: &Function,
    place: &Place,
    code: &Code,
    origin: Option<Origin>,
) -> Result<PathBuf, RunError> {
    let mut jobs = Vec::new();
    if !function.layers.is_empty() {
        jobs.push(Job { root: place.opt(), packages: function.layers.clone() });
    }
    let task = if let Location::Directory(directory) = &function.code.location {
        std::path::absolute(directory).map_err(machine("finding the code's directory"))?
    } else {
        jobs.push(Job { root: place.task(), packages: vec![function.code.clone()] });
        place.task()
    };
    install(jobs, code, |package| Some(renewal(origin.clone()?, package.clone()))).await?;
    Ok(task)
}

/// Asks AWS for the package's address again.
fn renewal(origin: Origin, package: Package) -> Renewal {
    Arc::new(move || {
        let (origin, package) = (Arc::clone(&origin), package.clone());
        Box::pin(async move { aws::renew(&origin.0, &origin.1, &package).await })
    })
}
