//! From settings to a function whose files are in place. How it is run comes later.

use std::borrow::Cow;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_config::SdkConfig;

use super::contained::{Started, is_here, pulled};
use super::error::{RunError, machine};
use super::install::{Job, install};
use crate::aws;
use crate::boot::{self, Layout};
use crate::config::{Code, Environment, Run, Source, Variable, Whose};
use crate::credentials::{Endpoint, Keeper};
use crate::fetch::Renewal;
use crate::function::name::FunctionName;
use crate::function::runtime::{self, Family};
use crate::function::{Function, Location, Package, local};
use crate::image;
use crate::place::{self, Place};
use crate::process::Rights;

/// A function whose files are in place, and its event.
pub(super) struct Prepared {
    pub(super) function: Function,
    pub(super) boot: Boot,
    pub(super) place: Place,
    /// Lambda's limits of sizes hold.
    pub(super) strict: bool,
    /// Where the function finds credentials of its own.
    pub(super) credentials: Option<Endpoint>,
}

impl Prepared {
    /// What PID 1 of an image still has to do. Elsewhere it is the user's own program.
    pub(super) fn rights(&self, files: bool) -> Option<Rights> {
        let roots = matches!(self.boot, Boot::Image(_));
        self.place.is_image().then_some(Rights { roots, files, places: false })
    }
}

/// What is to be started.
pub(super) enum Boot {
    /// A language runtime.
    Runtime { family: Cow<'static, Family>, layout: Layout },
    /// A container image's program, in its own root directory.
    Image(Started),
    /// A program that is here already.
    Command(Vec<OsString>),
}

/// A function that is known, and where it was found, so that it can be asked for again.
pub(super) struct Described {
    pub(super) function: Function,
    origin: Option<Origin>,
}

/// Finds out what the function is, and puts its code and layers in place.
pub(super) async fn prepare(
    run: Run,
    environment: &impl Environment,
) -> Result<Prepared, RunError> {
    let described = describe(&run, environment).await?;
    // Somebody else's image need not have it.
    if is_here(environment) {
        image::temporary(Path::new("/")).map_err(machine("making /tmp"))?;
    }
    put_in(Place::choose()?, &described, false, &run, environment).await
}

/// Finds out what the function is.
pub(super) async fn describe(
    run: &Run,
    environment: &impl Environment,
) -> Result<Described, RunError> {
    let region = run.region.clone();
    let (mut function, origin) = found(&run.source, region, environment).await?;
    function.memory = run.limits.memory.unwrap_or(function.memory);
    function.variables.extend(run.variables.iter().cloned());
    function.logging.format = run.log_format.unwrap_or(function.logging.format);
    if let Some(module) = &run.module {
        function.override_module(module);
    }
    Ok(Described { function, origin })
}

/// Puts a function's code and layers in place; `filled` says that they are there already.
pub(super) async fn put_in(
    place: Place,
    described: &Described,
    filled: bool,
    run: &Run,
    environment: &impl Environment,
) -> Result<Prepared, RunError> {
    let (function, origin) = (described.function.clone(), described.origin.clone());
    if place.is_image() || is_here(environment) {
        place::name_sandbox(Path::new("/etc/hosts"));
    }
    let boot = if let Source::Command(command) = &run.source {
        Boot::Command(command.clone())
    } else if let Some(image) = &function.image {
        Boot::Image(pulled(image, &place, &run.code, environment).await?)
    } else {
        let (family, runtime) = runtime_of(&function, run)?;
        let task = if filled {
            place.task()
        } else {
            place.clear()?;
            put(&function, &place, &run.code, origin).await?
        };
        Boot::Runtime { family, layout: Layout { task, opt: place.opt(), runtime } }
    };
    let credentials = match run.credentials {
        Whose::Task => None,
        Whose::Function => Some(own(&function, run.region.clone()).await?),
    };
    Ok(Prepared { function, boot, place, strict: run.limits.strict, credentials })
}

/// The family of a function's runtime, and where its client is on this machine.
pub(super) fn runtime_of(
    function: &Function,
    run: &Run,
) -> Result<(Cow<'static, Family>, PathBuf), RunError> {
    let given = run.limits.runtime_dir.as_deref();
    let family = family(&function.runtime, given)?;
    let runtime = boot::runtime_dir(&family, &function.runtime, given)?;
    Ok((family, runtime))
}

/// What is known of a runtime: by its directory itself, or by us.
fn family(identifier: &str, given: Option<&Path>) -> Result<Cow<'static, Family>, RunError> {
    let brought = runtime::brought(given.unwrap_or(Path::new(boot::RUNTIME)), identifier)?;
    Ok(match brought {
        Some(family) => Cow::Owned(family),
        None => Cow::Borrowed(runtime::find(identifier)?),
    })
}

/// Credentials of the function's own role.
async fn own(function: &Function, region: Option<String>) -> Result<Endpoint, RunError> {
    let role = function.role.as_deref().ok_or_else(|| RunError::NoRole(function.name.clone()))?;
    let config = aws::config(region.or_else(|| Some(function.region.clone()))).await;
    let (held, obtain) = aws::role::assume(&config, role, &function.name).await?;
    let opened = Endpoint::open(Keeper::new(held, obtain)).await;
    opened.map_err(machine("serving the function's credentials"))
}

/// Where a function was found, so that it can be asked for again.
type Origin = Arc<(SdkConfig, FunctionName)>;

async fn found(
    source: &Source,
    region: Option<String>,
    environment: &impl Environment,
) -> Result<(Function, Option<Origin>), RunError> {
    match source {
        Source::Deployed(name) => {
            let config = aws::config(region.or_else(|| name.region().map(str::to_owned))).await;
            let function = aws::describe(&config, name).await?;
            Ok((function, Some(Arc::new((config, name.clone())))))
        }
        Source::Local(local) => {
            let mut function = local::describe(local, &here(environment));
            for package in function.layers.iter_mut().chain([&mut function.code]) {
                settle(package).await?;
            }
            Ok((function, None))
        }
        Source::Command(words) => {
            let named = |variable| environment.get(variable)?.into_string().ok();
            Ok((local::of_command(words, &here(environment), named), None))
        }
    }
}

/// The region that the environment names, or Lambda's oldest.
fn here(environment: &impl Environment) -> String {
    let named = [Variable::AwsRegion, Variable::AwsDefaultRegion];
    let named = named.into_iter().find_map(|variable| environment.get(variable));
    named.and_then(|region| region.into_string().ok()).unwrap_or_else(|| "us-east-1".into())
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
